import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { classes, Message, methods, parseMessage } from 'werift';
import { IceLiteAgent } from '../../local/simulator/ice-lite.ts';

/** The checking side, written with another STUN implementation. */
let peer: Socket;
let agent: IceLiteAgent;

beforeEach(async () => {
  agent = await IceLiteAgent.create('127.0.0.1');
  peer = createSocket('udp4').bind(0, '127.0.0.1');
  await once(peer, 'listening');
});
afterEach(() => {
  agent.close();
  peer.close();
});

function check(password = agent.password, username = `${agent.ufrag}:peer`, nominate = false) {
  const request = new Message(methods.BINDING, classes.REQUEST);
  request.setAttribute('USERNAME', username).setAttribute('PRIORITY', 1);
  request.setAttribute('ICE-CONTROLLING', 1n);
  if (nominate) request.setAttribute('USE-CANDIDATE', null);
  return request.addMessageIntegrity(Buffer.from(password)).addFingerprint();
}

const send = (datagram: Buffer) => peer.send(datagram, agent.port, '127.0.0.1');

async function ask(request: Message): Promise<Message | undefined> {
  const reply = once(peer, 'message') as Promise<[Buffer]>;
  send(request.bytes);
  const [datagram] = await reply;
  // Parsing with the key drops a reply whose integrity is wrong.
  return parseMessage(datagram, Buffer.from(agent.password));
}

it('the credentials have the form of the captures', () => {
  expect(agent.ufrag).toMatch(/^[A-Za-z0-9]{16}$/);
  expect(agent.password).toMatch(/^[A-Za-z0-9+/]{22}==$/);
});

it('a check is answered with the address it came from', async () => {
  agent.start('peer');
  const reply = await ask(check());
  expect(reply?.messageClass).toBe(classes.RESPONSE);
  expect(reply?.getAttributeValue('XOR-MAPPED-ADDRESS')).toEqual([
    '127.0.0.1',
    peer.address().port,
  ]);
  expect(agent.counts).toMatchObject({ answered: 1, refused: 0, requestsSent: 0 });
});

it('checks before the answer are ignored and counted', async () => {
  send(check().bytes);
  await expect.poll(() => agent.counts.early).toBe(1);
  agent.start('peer');
  const reply = await ask(check());
  expect(reply?.messageClass).toBe(classes.RESPONSE);
  expect(agent.counts).toMatchObject({ early: 1, answered: 1 });
});

it.each([
  ['the password without its padding', () => check(agent.password.replace('==', ''))],
  ['another user name', () => check(agent.password, `${agent.ufrag}:stranger`)],
])('%s is refused with 401', async (_name, request) => {
  agent.start('peer');
  const reply = await ask(request());
  expect(reply?.getAttributeValue('ERROR-CODE')[0]).toBe(401);
  expect(agent.counts).toMatchObject({ answered: 0, refused: 1 });
});

it('a peer that claims to be controlled is told of the conflict', async () => {
  agent.start('peer');
  const request = new Message(methods.BINDING, classes.REQUEST);
  request.setAttribute('USERNAME', `${agent.ufrag}:peer`).setAttribute('ICE-CONTROLLED', 1n);
  request.addMessageIntegrity(Buffer.from(agent.password)).addFingerprint();
  expect((await ask(request))?.getAttributeValue('ERROR-CODE')[0]).toBe(487);
});

it('the nominated address is where everything goes, and nomination is seen', async () => {
  agent.start('peer');
  expect(agent.peer).toBeUndefined();
  await ask(check(agent.password, `${agent.ufrag}:peer`, true));
  await agent.nominated;
  expect(agent.peer).toEqual({ host: '127.0.0.1', port: peer.address().port });
  const arrived = once(peer, 'message') as Promise<[Buffer]>;
  agent.send(Buffer.from([22, 1, 2]));
  expect((await arrived)[0]).toEqual(Buffer.from([22, 1, 2]));
});

it('datagrams from an address that passed no check are dropped', async () => {
  agent.start('peer');
  const seen: Buffer[] = [];
  agent.onDatagram = (datagram) => seen.push(datagram);
  send(Buffer.from([22, 1]));
  await ask(check());
  send(Buffer.from([22, 2]));
  await expect.poll(() => seen).toEqual([Buffer.from([22, 2])]);
});
