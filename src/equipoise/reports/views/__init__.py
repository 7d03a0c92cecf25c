"""Views: what each kind of result says, as a `Document`."""
