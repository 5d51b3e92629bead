// A small bridge between a WhatsApp-like phone and a LiveKit room as LiveKit's Node SDK suggests it: what the phone says is
// decoded and captured as PCM, what the room says comes as PCM and is encoded. The benchmark compares the relay with it. It reads
// requests as lines of JSON and answers each with one.
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
  type RemoteTrack,
} from '@livekit/rtc-node';
import { Application, createDecoder, createEncoder } from 'libopus-wasm';
import { PeerConnection, type Track } from 'node-datachannel';
import { createInterface } from 'node:readline';
import { emptyRtpView, isRtcp, readRtp, writeRtpHeader } from '../../../relay/domain/rtp.ts';

const RATE_HZ = 48_000;
const FRAME_SAMPLES = RATE_HZ / 50;
const PAYLOAD_TYPE = 111;
const SSRC = 77;

type Request = { do: 'call' | 'close'; id: string; sdp: string; url: string; token: string };
type Call = { peer: PeerConnection; room: Room };

const calls = new Map<string, Call>();

async function bridge({ id, sdp, url, token }: Request): Promise<string> {
  const room = new Room();
  const peer = new PeerConnection(id, {
    iceServers: [],
    bindAddress: '127.0.0.1',
    disableAutoNegotiation: true,
  });
  calls.set(id, { peer, room });
  const toPhone = Promise.withResolvers<Track>();
  peer.onTrack((track) => toPhone.resolve(track));
  const gathered = new Promise<void>((resolve) => {
    peer.onGatheringStateChange((state) => state === 'complete' && resolve());
  });
  room.on(RoomEvent.TrackSubscribed, (remote) => {
    void toPhone.promise.then((track) => say(remote, track));
  });
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  const source = new AudioSource(RATE_HZ, 1);
  const microphone = LocalAudioTrack.createAudioTrack('caller', source);
  const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE });
  await room.localParticipant?.publishTrack(microphone, options);
  const listening = toPhone.promise.then((track) => listen(track, source));
  peer.setRemoteDescription(sdp, 'offer');
  peer.setLocalDescription('answer');
  await Promise.all([gathered, listening]);
  return peer.localDescription()?.sdp ?? '';
}

/** What the phone says goes into the room. */
async function listen(track: Track, source: AudioSource): Promise<void> {
  const decoder = await createDecoder({ sampleRate: RATE_HZ, channels: 1 });
  const view = emptyRtpView();
  track.onMessage((bytes) => {
    if (isRtcp(bytes) || !readRtp(bytes, 0, view)) return;
    const pcm = decoder.decode(bytes.subarray(view.payloadStart, view.payloadEnd));
    void source.captureFrame(new AudioFrame(new Int16Array(pcm), RATE_HZ, 1, pcm.length));
  });
}

/** What somebody in the room says goes to the phone. */
async function say(remote: RemoteTrack, track: Track): Promise<void> {
  const encoder = await createEncoder({
    sampleRate: RATE_HZ,
    channels: 1,
    frameSize: FRAME_SAMPLES,
    application: Application.Voip,
    bitrate: 24_000,
  });
  const packet = Buffer.alloc(1_500);
  const frame = new Int16Array(FRAME_SAMPLES);
  let filled = 0;
  let sequence = 0;
  for await (const { data } of new AudioStream(remote, RATE_HZ, 1)) {
    for (let at = 0; at < data.length;) {
      const part = data.subarray(at, at + FRAME_SAMPLES - filled);
      frame.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < FRAME_SAMPLES) continue;
      filled = 0;
      sequence += 1;
      const start = writeRtpHeader(
        packet,
        PAYLOAD_TYPE,
        false,
        sequence & 0xffff,
        (sequence * FRAME_SAMPLES) >>> 0,
        SSRC,
        0,
        0,
      );
      const payload = encoder.encode(frame);
      packet.set(payload, start);
      if (track.isOpen()) track.sendMessageBinary(packet.subarray(0, start + payload.length));
    }
  }
}

async function close({ id }: Request): Promise<void> {
  const call = calls.get(id);
  calls.delete(id);
  call?.peer.close();
  await call?.room.disconnect();
}

async function carryOut(request: Request): Promise<void> {
  const { id } = request;
  try {
    if (request.do === 'call') reply({ id, sdp: await bridge(request) });
    else {
      await close(request);
      reply({ id });
    }
  } catch (error) {
    reply({ id, error: String(error) });
  }
}

const reply = (answer: { id: string; sdp?: string; error?: string }): void =>
  void process.stdout.write(`${JSON.stringify(answer)}\n`);

createInterface({ input: process.stdin }).on('line', (line) => {
  void carryOut(JSON.parse(line) as Request);
});
