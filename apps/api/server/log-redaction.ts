/** Fields that are never logged. */
export const LOG_REDACTION = {
  paths: [
    'authorization',
    'headers.authorization',
    'req.headers.authorization',
    'req.headers.cookie',
    'token',
    'adminToken',
    '*.token',
    '*.adminToken',
    '*.password',
    'setupCode',
    '*.setupCode',
    'err.config',
    'err.connectionParameters',
    'err.parameters',
  ],
  censor: '[hidden]',
};
