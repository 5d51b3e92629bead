// The simulator's phone page and the sample agent page, in real browsers that hear each other through the whole product.
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { serveAgentPage, type AgentPage } from '../local/agent/server.ts';
import { NO_CHROMIUM } from '../local/chromium.ts';
import { freePorts } from '../local/ports.ts';
import { newCaller, useStack } from '../support/use-stack.ts';
import { forgetTones, hearsTone } from './audio-probe.ts';
import { CHROMIUM, openBrowser, openPage, picture } from './browsers.ts';

const CALLER_HZ = 600;
const AGENT_HZ = 1000;

// `npm test` says why when they are skipped; a verbose report shows it, too.
describe.skipIf(!CHROMIUM)(CHROMIUM ? 'pages' : `pages: ${NO_CHROMIUM}`, () => {
  const stack = useStack('pages');
  let served: AgentPage;
  let browsers: Browser[] = [];
  let phone: Page;
  let agent: Page;
  let errors: string[];
  let caller: string;

  beforeAll(async () => {
    served = await serveAgentPage(await freePorts(), stack().admin.baseUrl);
    browsers = await Promise.all([openBrowser(CALLER_HZ), openBrowser(AGENT_HZ)]);
  });
  afterAll(async () => {
    await Promise.all(browsers.map((browser) => browser.close()));
    await served?.stop();
  });

  beforeEach(async () => {
    const [phones, desks] = browsers as [Browser, Browser];
    errors = [];
    phone = await openPage(phones, errors);
    agent = await openPage(desks, errors);
    caller = newCaller();
    await phone.goto(`${stack().simulatorUrl}/phone`);
    await phone.getByTestId('from').fill(caller);
    await agent.goto(`${served.url}#key=${stack().credentials.agent.key}`);
    await expect.poll(() => agent.getByTestId('state').textContent()).toBe('on duty');
  });
  afterEach(async () => {
    await Promise.all([phone.close(), agent.close()]);
    expect(errors).toEqual([]);
  });

  /** The phone calls, the agent answers, and both hear the other's voice. */
  async function talk(): Promise<void> {
    await phone.getByTestId('call').click();
    const ring = agent.getByTestId('ring').filter({ hasText: caller });
    await ring.waitFor();
    await picture(agent, 'agent-ringing');
    await picture(phone, 'phone-calling');
    await ring.getByTestId('answer').click();
    await expect
      .poll(() => agent.getByTestId('state').textContent(), { timeout: 10_000 })
      .toBe('in call');
    await Promise.all([hearsTone(phone, AGENT_HZ), hearsTone(agent, CALLER_HZ)]);
  }

  /**
   * A browser that hangs up closes its media connection at the same moment; whether that or WhatsApp's word of the hangup
   * arrives first is not in anybody's hands.
   */
  const PHONE_HUNG_UP = /^Call ended: (caller hung up|media lost)\.$/;
  const noteOf = (): Promise<string | null> => agent.getByTestId('note').textContent();

  it('phone and agent hear each other, and the phone hangs up', async () => {
    await talk();
    await picture(agent, 'agent-in-call');
    await picture(phone, 'phone-in-call');
    await phone.getByTestId('hangup').click();
    await expect.poll(noteOf, { timeout: 10_000 }).toMatch(PHONE_HUNG_UP);
    await picture(agent, 'agent-call-ended');
    await picture(phone, 'phone-call-ended');
    expect(await agent.getByTestId('state').textContent()).toBe('on duty');
  });

  it('the agent hangs up, and the phone sees it', async () => {
    await talk();
    await agent.getByTestId('hangup').click();
    await expect.poll(() => phone.getByTestId('call').isEnabled(), { timeout: 10_000 }).toBe(true);
    await expect.poll(() => agent.getByTestId('state').textContent()).toBe('on duty');
  });

  it('a muted agent is not heard, and is heard again', async () => {
    await talk();
    await agent.getByTestId('mute').click();
    await expect.poll(() => agent.getByTestId('mute').textContent()).toBe('Unmute');
    // What was on its way when the button was pressed still arrives; silence is everything after a second without.
    await expect
      .poll(
        async () => {
          await forgetTones(phone);
          await phone.waitForTimeout(1_000);
          return phone
            .evaluate(() => [
              ...(window as unknown as { tonesHeard: Map<number, number> }).tonesHeard.keys(),
            ])
            .then((tones) => tones.includes(1000));
        },
        { timeout: 15_000 },
      )
      .toBe(false);
    await agent.getByTestId('mute').click();
    await hearsTone(phone, AGENT_HZ);
    await phone.getByTestId('hangup').click();
    await expect.poll(noteOf, { timeout: 10_000 }).toMatch(PHONE_HUNG_UP);
  });

  it('a call that the caller gives up disappears from the page', async () => {
    await phone.getByTestId('call').click();
    const ring = agent.getByTestId('ring').filter({ hasText: caller });
    await ring.waitFor();
    await phone.getByTestId('hangup').click();
    await ring.waitFor({ state: 'detached' });
  });

  it('a call that the agent declines goes on to what the rule says next', async () => {
    const { admin } = stack();
    const agents = await admin.request<{ data: { id: string }[] }>('GET', '/v1/agents');
    const agent_ids = agents.data.map(({ id }) => id);
    await admin.request('POST', '/v1/teams', { id: 'desk', name: 'Desk' });
    await admin.request('PUT', '/v1/teams/desk/members', { agent_ids });
    const everybody = [{ ring: { everyone: true } }];
    const rules = (steps: readonly object[]) =>
      admin.request('PUT', '/v1/rules', { rules: { rules: [], otherwise: steps } });
    await rules([{ ring: { team: 'desk' } }, { reject: {} }]);
    try {
      await phone.getByTestId('call').click();
      const ring = agent.getByTestId('ring').filter({ hasText: caller });
      await ring.waitFor();
      await picture(agent, 'agent-may-decline');
      await ring.getByTestId('decline').click();
      await ring.waitFor({ state: 'detached' });
      await expect
        .poll(() => phone.getByTestId('call').isEnabled(), { timeout: 10_000 })
        .toBe(true);
    } finally {
      await rules(everybody);
    }
  });

  it('a wrong key is refused in words', async () => {
    await agent.goto('about:blank');
    await agent.goto(`${served.url}#key=wrong`);
    await expect.poll(() => agent.getByTestId('state').textContent()).toBe('refused');
    expect(await noteOf()).toContain('refused');
  });
});
