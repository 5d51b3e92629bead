// Checks of Roomline's own parts: webhooks that came, relays, recordings, LiveKit, the database.
import { checkLiveKit } from '../adapters/livekit-check.ts';
import { promptKey } from '../adapters/prompt-store-d1.ts';
import { cannotTell, fine, problem, type Finding } from '../domain/finding.ts';
import type { PromptId } from '../domain/ids.ts';
import type { BusinessNumber, RelayStatus } from '../ports.ts';
import type { Services } from '../services.ts';
import type { Checks } from './examine-number.ts';

const HOUR_MS = 3600_000;
/** Above this each decision of a call costs more than a user notices as a pause, in ms. */
const COMMIT_MS_MAX = 150;

export const ownChecks = (services: Services, number: BusinessNumber): Checks => ({
  'webhook-verified': () => webhookVerified(number, services.now()),
  relay: () => relay(services),
  ...(number.recording === 'always' ? { recording: () => recording(services, number) } : {}),
  livekit: () => {
    const { LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET } = services.config;
    return checkLiveKit({
      url: LIVEKIT_URL,
      apiKey: LIVEKIT_API_KEY,
      apiSecret: LIVEKIT_API_SECRET,
    });
  },
  database: () => database(services, number),
});

function webhookVerified({ webhookAtMs }: BusinessNumber, nowMs: number): Finding {
  if (webhookAtMs === null) {
    return problem(
      'No webhook for this number has ever come with a good signature',
      'Check the callback address and the secret at the provider, then call the number or write to it',
    );
  }
  const hours = Math.floor((nowMs - webhookAtMs) / HOUR_MS);
  const when = `The last one came at ${new Date(webhookAtMs).toISOString()}`;
  // A quiet number is not a broken one.
  return hours < 7 * 24 ? fine(when) : cannotTell(when, 'Write to the number and look again');
}

async function relay(services: Services): Promise<Finding> {
  const relays = await services.switchboard().relays();
  const ready = relays.filter(
    (item) => !item.isDraining && !item.isOverloaded && item.load < item.capacity,
  );
  const failed = ready.find(({ lastIce }) => lastIce?.isConnected === false);
  if (failed) {
    return problem(
      `The latest call on relay ${failed.id} got no connection to the provider's media`,
      'Let the relay send UDP to any address; inbound ports are not needed',
    );
  }
  if (ready.length > 0) {
    return fine(`${ready.length} of ${relays.length} connected take calls${described(ready)}`);
  }
  if (relays.length > 0) {
    return problem(
      'Every connected relay is full, overloaded or draining',
      'Start another relay, on another machine if they are overloaded, or raise RELAY_CAPACITY',
    );
  }
  return problem(
    'No relay is connected',
    'Register one with POST /v1/relays and start it with ROOMLINE_URL, RELAY_ID and RELAY_SECRET',
  );
}

/** The way that the latest call's media took, which also tells of a NAT. */
function described(relays: readonly RelayStatus[]): string {
  const [latest] = relays
    .flatMap(({ lastIce }) => lastIce ?? [])
    .toSorted((a, b) => b.atMs - a.atMs);
  if (!latest?.local) return '; no call has shown yet how they reach the provider';
  const nat = latest.localType === 'host' ? '' : `, mapped by a NAT (${latest.localType})`;
  return `; the latest media went from ${latest.local}${nat} to ${latest.remote ?? 'unknown'}`;
}

async function recording(
  { audio }: Services,
  { recordingAnnouncement }: BusinessNumber,
): Promise<Finding> {
  if (!audio) {
    return problem(
      'No call is recorded: this deployment has no R2 bucket AUDIO',
      'Bind one in wrangler.toml and deploy again',
    );
  }
  if (recordingAnnouncement === null) {
    return fine('Every call is recorded, and no caller is told by Roomline');
  }
  if (await audio.head(promptKey(recordingAnnouncement as PromptId))) {
    return fine('Every call is recorded, and announced first');
  }
  return problem(
    'No call is recorded: the sound of the announcement is not in the bucket any more',
    'Upload it with POST /v1/prompts, then PATCH recording_announcement',
  );
}

async function database(services: Services, number: BusinessNumber): Promise<Finding> {
  // The first request of an isolate also pays for the connection.
  await services.numbers.measureCommitMs(number.id, services.now);
  const ms = await services.numbers.measureCommitMs(number.id, services.now);
  const why = `A commit takes ${ms} ms from where this request was answered`;
  if (ms <= COMMIT_MS_MAX) return fine(why);
  return problem(
    why,
    'Keep the database and LOCATION_HINT in one region; the hint counts only before the first request',
  );
}
