"""The steps and their order: the only package that knows Nipype."""

import os

# Nipype asks a server for its newest version unless told not to; this app never calls out.
os.environ['NIPYPE_NO_ET'] = '1'
os.environ['NO_ET'] = '1'
