// How every API route is made: an OpenAPI app whose validation failures become problems.
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { AppEnv } from './authentication.ts';
import { invalidRequest, problemContent } from './problems.ts';

export const newRoutes = () =>
  new OpenAPIHono<AppEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error);
    },
  });

export const json = <T extends z.ZodType>(description: string, schema: T) => ({
  description,
  content: { 'application/json': { schema } },
});

export const body = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
});

/** Responses that every authenticated route may give. */
export const refusals = {
  400: problemContent('A field is missing or malformed; `errors` names each'),
  401: problemContent('The key is missing or unknown, or the session is over'),
  403: problemContent('Whoever asks may not do that, or asks from a page of somebody else'),
  413: problemContent('The body is too large'),
  415: problemContent('The body is of a type that is not taken'),
  429: problemContent('Too many requests with wrong keys; see `Retry-After`'),
  503: problemContent('The record cannot be reached; nothing was done. See `Retry-After`'),
};

/** A key, or a browser in which somebody has signed in. */
export const bearer = [{ bearer: [] }, { session: [] }];
