// Imported ahead of @livekit/rtc-node, which writes debug lines to standard output unless it is loaded "in production".
const { NODE_ENV } = process.env;
process.env['NODE_ENV'] = 'production';

/** Puts back what other libraries go by. */
export function restoreNodeEnv(): void {
  if (NODE_ENV === undefined) delete process.env['NODE_ENV'];
  else process.env['NODE_ENV'] = NODE_ENV;
}
