// DTLS-SRTP over the ICE-lite agent: the handshake in either role, then sealed RTP and RTCP both ways.
import { createHash, X509Certificate } from 'node:crypto';
import {
  CipherContext,
  DtlsClient,
  DtlsServer,
  HashAlgorithm,
  keyLength,
  NamedCurveAlgorithm,
  ProtectionProfileAes128CmHmacSha1_80,
  RtpPacket,
  saltLength,
  SignatureAlgorithm,
  SrtcpSession,
  SrtpSession,
  type RtpHeader,
} from 'werift';
import type { IceLiteAgent } from './ice-lite.ts';

// Provider: SRTP profiles are undocumented (calling reference, read 2026-06); this one every WebRTC stack has.
const SRTP_PROFILE = ProtectionProfileAes128CmHmacSha1_80;

/** A certificate and what SDP says of it. */
export type Identity = {
  certPem: string;
  keyPem: string;
  signatureHash: {
    hash: typeof HashAlgorithm.sha256_4;
    signature: typeof SignatureAlgorithm.ecdsa_3;
  };
  /** SHA-256 of the certificate as upper-case hex pairs, the form of `a=fingerprint`. */
  fingerprint: string;
};

let identity: Promise<Identity> | undefined;

/** The certificate of this process: one for all phones, since making one costs some milliseconds each. */
export function localIdentity(): Promise<Identity> {
  identity ??= makeIdentity();
  return identity;
}

async function makeIdentity(): Promise<Identity> {
  const signatureHash = {
    hash: HashAlgorithm.sha256_4,
    signature: SignatureAlgorithm.ecdsa_3,
  } as const;
  const { certPem, keyPem } = await CipherContext.createSelfSignedCertificateWithKey(
    signatureHash,
    NamedCurveAlgorithm.secp256r1_23,
  );
  return {
    certPem,
    keyPem,
    signatureHash,
    fingerprint: new X509Certificate(certPem).fingerprint256,
  };
}

/** One secured media path. Create it when the answer is known; `connected` settles once both sides have keys. */
export class SecureMedia {
  /** Rejects when the handshake fails or the peer shows another certificate than its SDP promised. */
  readonly connected: Promise<void>;
  onRtp: (packet: RtpPacket) => void = () => {};
  /** Called with the decrypted bytes of one compound RTCP packet. */
  onRtcp: (compound: Buffer) => void = () => {};
  /** Packets that failed authentication or could not be read. */
  undecryptable = 0;

  readonly #agent: IceLiteAgent;
  readonly #dtls: DtlsServer | DtlsClient;
  #onDtls: (datagram: Buffer) => void = () => {};
  #srtp: SrtpSession | undefined;
  #srtcp: SrtcpSession | undefined;

  /**
   * @param role `server` waits for the peer's ClientHello (the peer answered `active`); `client` sends one after nomination
   * @param peerFingerprint SHA-256 as hex pairs with colons, in any case
   */
  constructor(
    agent: IceLiteAgent,
    own: Identity,
    role: 'server' | 'client',
    peerFingerprint: string,
  ) {
    this.#agent = agent;
    const transport = this.#transport();
    const options = {
      transport,
      cert: own.certPem,
      key: own.keyPem,
      signatureHash: own.signatureHash,
      srtpProfiles: [SRTP_PROFILE],
      extendedMasterSecret: true,
    };
    const dtls =
      role === 'server'
        ? new DtlsServer({ ...options, certificateRequest: true })
        : new DtlsClient(options);
    this.#dtls = dtls;
    this.#onDtls = transport.onData;
    agent.onDatagram = (datagram) => this.#demultiplex(datagram);
    this.connected = new Promise<void>((resolve, reject) => {
      dtls.onConnect.once(() => resolve());
      dtls.onError.once(reject);
      if (dtls instanceof DtlsClient) void agent.nominated.then(() => dtls.connect()).catch(reject);
    }).then(() => this.#open(peerFingerprint));
  }

  sendRtp(header: RtpHeader, payload: Buffer): void {
    if (this.#srtp) this.#agent.send(this.#srtp.encrypt(payload, header));
  }

  sendRtcp(compound: Buffer): void {
    if (this.#srtcp) this.#agent.send(this.#srtcp.encrypt(compound));
  }

  #transport() {
    const agent = this.#agent;
    return {
      type: 'ice-lite',
      address: { address: '', family: 'IPv4', port: agent.port },
      closed: false,
      onData: (_datagram: Buffer): void => {},
      send: (datagram: Buffer): Promise<void> => {
        agent.send(datagram);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }

  #open(peerFingerprint: string): void {
    const certificate = this.#dtls.remoteCertificate;
    if (!certificate) throw new Error('DTLS finished without a certificate of the peer');
    const digest = createHash('sha256').update(certificate).digest('hex');
    if (digest !== peerFingerprint.replaceAll(':', '').toLowerCase()) {
      throw new Error('the certificate of the peer does not have the fingerprint of its answer');
    }
    const keys = this.#dtls.extractSessionKeys(keyLength(SRTP_PROFILE), saltLength(SRTP_PROFILE));
    const config = {
      profile: SRTP_PROFILE,
      keys: {
        localMasterKey: keys.localKey,
        localMasterSalt: keys.localSalt,
        remoteMasterKey: keys.remoteKey,
        remoteMasterSalt: keys.remoteSalt,
      },
    };
    this.#srtp = new SrtpSession(config);
    this.#srtcp = new SrtcpSession(config);
  }

  // Spec: RFC 7983 section 7: 20-63 is DTLS, 128-191 is SRTP or SRTCP. RFC 5761 section 4 tells those two apart.
  #demultiplex(datagram: Buffer): void {
    const first = datagram[0] ?? 0;
    if (first >= 20 && first <= 63) return this.#onDtls(datagram);
    if (first < 128 || first > 191 || datagram.length < 12) return;
    const second = datagram.readUInt8(1);
    try {
      if (second >= 192 && second <= 223) {
        if (this.#srtcp) this.onRtcp(this.#srtcp.decrypt(datagram));
      } else if (this.#srtp) {
        this.onRtp(RtpPacket.deSerialize(this.#srtp.decrypt(datagram)));
      }
    } catch {
      this.undecryptable++;
    }
  }
}
