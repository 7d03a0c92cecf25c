"""Studies: small, exact experiments that check a claim of the product and can be repeated with one command."""

from equipoise.lab.gradient_audit import AuditResult, audit_table, gradient_audit, write_audit

__all__ = ["AuditResult", "audit_table", "gradient_audit", "write_audit"]
