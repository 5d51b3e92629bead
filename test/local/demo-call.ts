// One call from the simulated phone to a test agent and back, with a summary of what was really measured.
import type { CallDetails, TimelineEntry } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';
import { TestAgent, type Heard } from '../support/test-agent.ts';
import type { CallView as PhoneView } from './simulator/client.ts';

const CALLER = { from: '351910000001', name: 'Ana Demo' };
const CALLER_HZ = 440;
const AGENT_HZ = 1000;
/** How long the two talk, in ms. */
const TALK_MS = 3_000;

/** What is known when the call is over. */
type Demo = {
  calledAtMs: number;
  heardByAgent: Heard;
  call: CallDetails;
  phone: PhoneView;
};

/** Places and answers one call and prints how it went. @returns whether it went as it should */
export async function runDemoCall(stack: Stack): Promise<boolean> {
  console.log(`Demo call: ${CALLER.name} (+${CALLER.from}) calls, a test agent answers ...`);
  try {
    const demo = await placeAndAnswer(stack);
    if (stack.supervisor.isStopping) return false;
    const problems = problemsOf(demo);
    console.log(summary(demo));
    for (const problem of problems) console.error(`  NOT AS IT SHOULD BE: ${problem}`);
    console.log(
      problems.length === 0 ? 'The demo call went well.' : 'The demo call did NOT go well.',
    );
    return problems.length === 0;
  } catch (error) {
    if (stack.supervisor.isStopping) return false;
    console.error('The demo call FAILED:', error instanceof Error ? error.message : error);
    console.error(
      `The worker's last lines:\n${stack.worker.tail()}\nThe relay's:\n${stack.relay.tail()}`,
    );
    return false;
  }
}

async function placeAndAnswer(stack: Stack): Promise<Demo> {
  const desk = stack.admin.as(stack.credentials.agent.key);
  const events = await desk.events();
  let agent: TestAgent | undefined;
  try {
    const calledAtMs = Date.now();
    const phone = await stack.simulator.call({
      ...CALLER,
      play: { kind: 'tone', hz: CALLER_HZ },
    });
    const { call } = await events.first('ring of the demo call', (notice) => {
      return notice.type === 'ring' && notice.call.provider_call_id === phone.wacid;
    });
    agent = await TestAgent.join(await desk.claim(call.id), { toneHz: AGENT_HZ });
    const heardByAgent = await agent.hears(CALLER_HZ, 15_000);
    await stack.simulator.waitFor(phone.id, ({ acceptedAtMs }) => {
      return acceptedAtMs !== null && Date.now() - acceptedAtMs >= TALK_MS;
    });
    await stack.simulator.hangUp(phone.id);
    await events.state(call.id, 'ended');
    await agent.gone();
    // The relay's figures come with its last word on the call.
    await events.first('end of its media', ({ event, call: { id } }) => {
      return event === 'relay-closed' && id === call.id;
    });
    return {
      calledAtMs,
      heardByAgent,
      call: await desk.call(call.id),
      phone: await stack.simulator.get(phone.id),
    };
  } finally {
    events.close();
    await agent?.leave();
  }
}

const entryAtMs = (timeline: readonly TimelineEntry[], type: string): number | undefined => {
  const entry = timeline.find((candidate) => candidate.type === type);
  return entry && Date.parse(entry.at);
};

/** When the caller first heard the agent's tone. */
const heardByCallerAtMs = ({ heard }: PhoneView): number | undefined =>
  heard.tones.find(({ hz }) => Math.abs(hz - AGENT_HZ) < 20)?.fromMs;

function problemsOf({ call, phone }: Demo): string[] {
  const { heard, violations, ended } = phone;
  const checks: [isFine: boolean, problem: string][] = [
    [heardByCallerAtMs(phone) !== undefined, `the caller did not hear the agent's ${AGENT_HZ} Hz`],
    [heard.packetsBeforeAccept === 0, `${heard.packetsBeforeAccept} packets before the accept`],
    [violations.length === 0, `WhatsApp's rules were broken: ${JSON.stringify(violations)}`],
    [ended?.by === 'caller', `the phone says it ended by ${ended?.by}`],
    [call.outcome?.reason === 'caller-hung-up', `the outcome is ${call.outcome?.reason}`],
  ];
  return checks.filter(([isFine]) => !isFine).map(([, problem]) => problem);
}

function summary({ calledAtMs, heardByAgent, call, phone }: Demo): string {
  const { heard, acceptedAtMs } = phone;
  const after = (atMs: number | undefined | null, fromMs: number | undefined | null): string =>
    typeof atMs === 'number' && typeof fromMs === 'number'
      ? `${Math.round(atMs - fromMs)} ms`
      : 'not seen';
  const claimedAtMs = entryAtMs(call.timeline, 'claimed');
  const readyAtMs = entryAtMs(call.timeline, 'ready');
  const { outcome } = call;
  const lines: [string, string][] = [
    ['rang', `${after(entryAtMs(call.timeline, 'ringing'), calledAtMs)} after the call was placed`],
    ['ready', `${after(readyAtMs, claimedAtMs)} after the agent answered`],
    ['accepted', `${after(acceptedAtMs, readyAtMs)} after that, by WhatsApp's account`],
    ['agent hears caller', `${after(heardByAgent.atMs, acceptedAtMs)} after the accept`],
    ['caller hears agent', `${after(heardByCallerAtMs(phone), acceptedAtMs)} after the accept`],
    [
      'caller received',
      `${heard.packets} packets, ${heard.lost} lost, ${heard.arrivalGaps.length} pauses over 60 ms, ` +
        `${heard.packetsBeforeAccept} before the accept`,
    ],
    ['ended', `${outcome?.reason ?? 'no outcome'} (${outcome?.result}), by ${outcome?.ended_by}`],
  ];
  return lines.map(([what, value]) => `  ${what.padEnd(19)}${value}`).join('\n');
}
