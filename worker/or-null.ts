// Named schemas of the API that may be null.
import { z } from '@hono/zod-openapi';

/**
 * Like `schema.nullable()`, for schemas that have a name in the API's document. Observed: @asteasolutions/zod-to-openapi 9.1 writes
 * the null into the named schema, so that it holds wherever the name is used.
 */
export const orNull = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);
