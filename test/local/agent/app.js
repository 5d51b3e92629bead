// The smallest possible agent, on livekit-client and Roomline's public API: sees calls ring, answers one, talks, hangs up.
// Everything that an integration of your own needs is in this file.
import { Room, RoomEvent, Track } from './livekit-client.js';

const api = document.body.dataset.api;
const element = (id) => document.getElementById(id);

/** Which agent the key belongs to. */
let agentId;
/** Calls that ring for this agent at the moment, by id. */
const ringing = new Map();
let key = '';
/** The last event that was seen: after a lost connection the stream goes on behind it. */
let cursor;
/** The call that this agent is in: `{ id, room, timer }`. */
let current;
/** The last call that this agent answered. Its end is told here and in the room, in any order. */
let answeredId;

async function request(method, path) {
  const response = await fetch(api + path, { method, headers: { authorization: `Bearer ${key}` } });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail ?? body.title ?? `${path}: ${response.status}`);
  return body;
}

// 1. Listen. A browser cannot set headers on a WebSocket, so the key travels as a subprotocol.
function listen() {
  const url = new URL('/v1/events', api.replace(/^http/, 'ws'));
  if (cursor !== undefined) url.searchParams.set('after', cursor);
  const socket = new WebSocket(url, ['roomline', `bearer.${key}`]);
  let wasOpen = false;
  socket.onmessage = ({ data }) => {
    const event = JSON.parse(data);
    wasOpen = true;
    if (event.type === 'hello') {
      cursor = event.cursor;
      agentId = event.agent_id;
      ringing.clear();
      for (const call of event.calls) update(call);
      show('on-duty');
    } else if (event.call) {
      cursor = event.id;
      update(event.call);
    }
  };
  socket.onclose = () => {
    show(wasOpen ? 'reconnecting' : 'refused');
    if (wasOpen) setTimeout(listen, 1000);
    else note('The key was refused, or Roomline does not answer.');
  };
}

function update(call) {
  // Null: every agent may take it.
  const ringsHere = call.ringing_for === null || call.ringing_for.includes(agentId);
  if (ringsHere) ringing.set(call.id, call);
  else ringing.delete(call.id);
  if (call.state === 'ended' && call.id === answeredId) {
    note(`Call ended: ${call.outcome.reason.replaceAll('-', ' ')}.`);
    void leave();
  }
  showRings();
}

// 2. Answer: one agent wins the claim and gets a seat in the call's room. The caller is connected once our microphone is there.
async function answer(call) {
  note('');
  let seat;
  try {
    seat = await request('POST', `/v1/calls/${call.id}/claim`);
  } catch (error) {
    return note(error.message);
  }
  const room = new Room();
  current = { id: call.id, room };
  answeredId = call.id;
  room.on(RoomEvent.TrackSubscribed, (track) => {
    if (track.kind === Track.Kind.Audio) element('audio').append(track.attach());
  });
  room.on(RoomEvent.TrackUnsubscribed, (track) => {
    for (const player of track.detach()) player.remove();
  });
  room.on(RoomEvent.Disconnected, () => leave());
  showCall(call);
  try {
    await room.connect(seat.livekit_url, seat.token);
    await room.localParticipant.setMicrophoneEnabled(true);
    show('in-call');
  } catch (error) {
    await leave();
    note(`Could not join: ${error.message}`);
  }
}

// 3. Hang up: end the call; the room and the caller's leg go with it.
async function hangUp() {
  if (current) await request('POST', `/v1/calls/${current.id}/end`).catch((e) => note(e.message));
  await leave();
}

async function leave() {
  if (!current) return;
  const { room, timer } = current;
  current = undefined;
  clearInterval(timer);
  show('on-duty');
  await room.disconnect();
}

async function mute() {
  const { localParticipant } = current.room;
  const isMuted = localParticipant.isMicrophoneEnabled;
  await localParticipant.setMicrophoneEnabled(!isMuted);
  element('mute').textContent = isMuted ? 'Unmute' : 'Mute';
  element('mute').setAttribute('aria-pressed', String(isMuted));
}

// The rest is display.
const nameOf = ({ contact }) => contact?.name ?? (contact?.phone ? `+${contact.phone}` : 'Unknown');

function show(state) {
  element('state').textContent = state.replace('-', ' ');
  element('sign-in').hidden = !['not-connected', 'refused'].includes(state);
  element('waiting').hidden = current !== undefined || !element('sign-in').hidden;
  element('call').hidden = current === undefined;
}

function note(text) {
  element('note').textContent = text;
  element('note').hidden = text === '';
}

function showRings() {
  element('none').hidden = ringing.size > 0;
  element('rings').replaceChildren(...[...ringing.values()].map(ringItem));
}

function declineButton(call) {
  const button = document.createElement('button');
  button.textContent = 'Decline';
  button.dataset.testid = 'decline';
  button.onclick = () =>
    request('POST', `/v1/calls/${call.id}/decline`).catch((error) => note(error.message));
  return button;
}

function ringItem(call) {
  const item = document.createElement('li');
  item.className = 'row';
  item.dataset.testid = 'ring';
  const who = document.createElement('div');
  who.append(nameOf(call), document.createElement('br'));
  const phone = document.createElement('span');
  phone.className = 'soft';
  phone.textContent = call.contact?.phone ? `+${call.contact.phone}` : 'number hidden';
  who.append(phone);
  if (call.summary) {
    const summary = document.createElement('p');
    summary.className = 'soft';
    summary.dataset.testid = 'summary';
    summary.textContent = call.summary;
    who.append(summary);
  }
  const button = document.createElement('button');
  button.textContent = 'Answer';
  button.className = 'go';
  button.dataset.testid = 'answer';
  button.onclick = () => answer(call);
  item.append(who, button);
  // A call that every agent may take rings on for the others anyway.
  if (call.ringing_for !== null) item.append(declineButton(call));
  return item;
}

function showCall(call) {
  element('who').textContent = nameOf(call);
  element('mute').textContent = 'Mute';
  element('timer').textContent = '0:00';
  const startedMs = Date.now();
  current.timer = setInterval(() => {
    const seconds = Math.floor((Date.now() - startedMs) / 1000);
    element('timer').textContent =
      `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  }, 250);
  show('connecting');
}

element('mute').onclick = mute;
element('hangup').onclick = hangUp;
document.querySelector('form').onsubmit = (event) => {
  event.preventDefault();
  key = element('key').value.trim();
  note('');
  listen();
};

// `npm start` prints an address that carries the key in its fragment, which browsers do not send to servers.
const given = new URLSearchParams(location.hash.slice(1)).get('key');
if (given) {
  element('key').value = given;
  document.querySelector('form').requestSubmit();
}
