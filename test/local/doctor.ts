// `npm run doctor`: asks a running Roomline to examine its numbers and prints what it finds. ROOMLINE_URL and ADMIN_API_KEY say
// where and as whom; ids of numbers may follow, else all are examined. Ends with 1 when a problem was found.
import { z } from 'zod';

const environment = z.object({
  ROOMLINE_URL: z.url({ protocol: /^https?$/, error: 'the http(s):// address of the worker' }),
  ADMIN_API_KEY: z.string('the key of the role admin').min(1, 'the key of the role admin'),
});
const numbers = z.object({
  data: z.array(z.object({ id: z.string(), display_phone_number: z.string() })),
});
const examination = z.object({
  data: z.array(
    z.object({
      check: z.string(),
      status: z.enum(['ok', 'problem', 'cannot_tell']),
      why: z.string(),
      remedy: z.string().nullable(),
    }),
  ),
});
type Row = z.infer<typeof examination>['data'][number];

const MARKS = { ok: 'ok', problem: 'PROBLEM', cannot_tell: '?' };
/** Every check has its own limit of 8 s and all run at once. */
const TIMEOUT_MS = 30_000;

async function main(): Promise<number> {
  const settings = environment.safeParse(process.env);
  if (!settings.success) {
    for (const { path, message } of settings.error.issues) {
      console.error(`${String(path[0])}: expected ${message}`);
    }
    return 2;
  }
  const { ROOMLINE_URL: url, ADMIN_API_KEY: key } = settings.data;
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(new URL(path, url), {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((error: unknown) => {
      throw new Error(`${url} does not answer; is ROOMLINE_URL the address of the worker?`, {
        cause: error,
      });
    });
    if (response.status === 401) throw new Error('ADMIN_API_KEY is not the key of the role admin');
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
  };
  const { data: known } = numbers.parse(await get('/v1/numbers'));
  const wanted = process.argv.slice(2);
  const chosen = known.filter(({ id }) => wanted.length === 0 || wanted.includes(id));
  if (chosen.length === 0) {
    console.error('No such number is registered; POST /v1/numbers registers one.');
    return 2;
  }
  let problems = 0;
  for (const { id, display_phone_number } of chosen) {
    const { data } = examination.parse(await get(`/v1/numbers/${encodeURIComponent(id)}/doctor`));
    console.log(`\n+${display_phone_number} (${id})\n${table(data)}`);
    problems += data.filter(({ status }) => status === 'problem').length;
  }
  console.log(problems === 0 ? '\nNo problem found.' : `\nProblems: ${problems}`);
  return problems === 0 ? 0 : 1;
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map(({ check }) => check.length));
  return rows
    .map(({ check, status, why, remedy }) => {
      const line = `  ${check.padEnd(width)}  ${MARKS[status].padEnd(7)}  ${why}`;
      return remedy === null ? line : `${line}\n${' '.repeat(width + 13)}-> ${remedy}`;
    })
    .join('\n');
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
