// The simulator's front page: what is going on, and where everything is.
import { html, raw } from 'hono/html';
import type { SimulatedCall } from './call.ts';
import type { BusinessNumber } from './wire.ts';

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; }
  code { font-size: .9em; }
`;

const ENDPOINTS = [
  ['GET /phone', 'call from this browser with a microphone'],
  ['POST /control/calls', 'let a simulated phone call'],
  ['GET /control/calls/:id', 'timeline, webhooks, Graph requests, what was heard'],
  ['POST /control/calls/:id/hangup', 'the caller hangs up'],
  ['POST /control/calls/:id/play', 'change what the caller sends, press keys'],
  [
    'POST /control/calls/:id/answer, /reject',
    'the user picks up or declines a call of the business',
  ],
  ['POST /control/phones/:number', 'what a phone does when the business calls'],
  ['POST /control/permissions, /control/permissions/reply', 'call permissions and their replies'],
  ['POST /control/messages', 'a user writes to the business'],
  ['POST /control/numbers', 'another business number, of Meta or 360dialog'],
  ['POST /control/clock', 'move the clock of permissions forward'],
  ['POST /control/faults, DELETE /control/faults', 'make Meta misbehave'],
  ['POST /control/webhooks', 'send any signed body'],
  ['POST /control/verify-webhook', 'make the verification request'],
] as const;

/** The page, newest call first. */
export function homePage(
  calls: SimulatedCall[],
  number: BusinessNumber,
  webhookUrl: string | undefined,
) {
  const rows = calls
    .toReversed()
    .slice(0, 50)
    .map(
      ({ options, phase, ending, createdAtMs, direction }) =>
        html`<tr>
          <td><a href="/control/calls/${options.id}">${options.id}</a></td>
          <td>${direction}</td>
          <td>${options.caller.from ?? options.caller.userId}</td>
          <td>${phase}${ending ? `: ${ending.reason} by ${ending.by}` : ''}</td>
          <td>${new Date(createdAtMs).toISOString()}</td>
        </tr>`,
    );
  const endpoints = ENDPOINTS.map(
    ([path, purpose]) =>
      html`<tr>
        <td><code>${path}</code></td>
        <td>${purpose}</td>
      </tr>`,
  );
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>WhatsApp calling simulator</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>WhatsApp calling simulator</h1>
        <p>
          Number <code>${number.displayPhoneNumber}</code>, id <code>${number.phoneNumberId}</code>.
          Webhooks go to <code>${webhookUrl ?? 'nowhere: WEBHOOK_URL is not set'}</code>.
          <a href="/phone">Call from this browser</a>
        </p>
        <h2>Calls</h2>
        <table>
          <tr>
            <th>id</th>
            <th>direction</th>
            <th>user</th>
            <th>state</th>
            <th>started</th>
          </tr>
          ${rows}
        </table>
        <h2>Control</h2>
        <table>
          ${endpoints}
        </table>
      </body>
    </html>`;
}
