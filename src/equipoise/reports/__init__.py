"""From a result to a page: views turn it into a `Document`, renderers draw that as HTML, Markdown or terminal lines.

Nothing is computed here that was not measured: a view may order, round and compare intervals, and never invents a
number. A renderer knows nothing of results.
"""
