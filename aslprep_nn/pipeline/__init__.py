"""The steps and their order: the only package that knows Nipype."""

import os

# Nipype asks a server for its newest version unless told not to; this app never calls out.
os.environ['NIPYPE_NO_ET'] = '1'
os.environ['NO_ET'] = '1'

import nipype

#: What Nipype may say, in this process and in its workers, which inherit the environment.
NIPYPE_LOG_LEVEL = os.environ.get('ASLPREP_NN_NIPYPE_LOG_LEVEL', 'CRITICAL')

nipype.config.update_config(
    {
        'logging': {
            'workflow_level': NIPYPE_LOG_LEVEL,
            'interface_level': NIPYPE_LOG_LEVEL,
            'utils_level': NIPYPE_LOG_LEVEL,
        }
    }
)
nipype.logging.update_logging(nipype.config)
