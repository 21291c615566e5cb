"""The steps and their order: the only package that knows Nipype."""
