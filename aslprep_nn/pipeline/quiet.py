"""What Nipype may say, in this process and in its workers, which inherit the environment."""

import os

import nipype

#: Nothing, unless asked for: what goes wrong is in the crash files and in our own words.
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
