// One line for every request, whoever made it and whatever became of it.
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';

/** Logs the route as it is declared, never the path or the query: ids of the provider hold phone numbers. */
export const logRequests: MiddlewareHandler = async function logRequest(c, next) {
  const startedAtMs = performance.now();
  await next();
  console.log('request.done', {
    method: c.req.method,
    route: routePath(c, -1),
    status: c.res.status,
    ms: Math.round(performance.now() - startedAtMs),
  });
};
