// How lists are paged: `limit` and `cursor` in, `data` and `next_cursor` out.
import { z } from '@hono/zod-openapi';

const PAGE_DEFAULT = 50;
const PAGE_MAX = 200;
const range = `a whole number from 1 to ${PAGE_MAX}`;

/** Query fields of a list. */
export const pageQuery = {
  limit: z.coerce
    .number()
    .int()
    .min(1, range)
    .max(PAGE_MAX, range)
    .default(PAGE_DEFAULT)
    .openapi({ description: 'Most entries of a page' }),
  cursor: z
    .string()
    .max(200)
    .optional()
    .openapi({ description: '`next_cursor` of the page before' }),
};

/** One page of `item`. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({
    data: z.array(item),
    next_cursor: z.string().nullable().openapi({ description: 'Null on the last page' }),
  });
