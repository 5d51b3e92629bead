import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { refusalOfAddress } from '../../../../worker/domain/outside-address.ts';

describe('an address that requests may be sent to', () => {
  it.each([
    'https://example.com',
    'https://example.com/',
    'https://hooks.example.com/roomline?token=a%20b',
    'https://example.com:443/x',
    'HTTPS://Example.COM/x',
    'https://xn--bcher-kva.example/',
    'https://a-b.co',
    'https://1.2.3.4.example.com/',
    'https://example.com?x=1',
    'https://localhost.example.com/',
  ])('%s', (address) => {
    expect(refusalOfAddress(address, false)).toBeNull();
    expect(refusalOfAddress(address, true)).toBeNull();
  });
});

describe('an address that is refused', () => {
  it.each([
    '',
    'example.com',
    '//example.com',
    'http://example.com/',
    'ftp://example.com/',
    'https:example.com',
    'https:///example.com',
    ' https://example.com',
    'https://example.com/ x',
    'https://example.com/\nx',
    'https://example.com:8443/',
    'https://example.com:80/',
    'https://example.com:/',
    'https://user@example.com/',
    'https://user:secret@example.com/',
    'https://example.com@evil.example/',
    'https://example.com\\@evil.example/',
    'https://example.com#x',
    'https://127.0.0.1/',
    'https://10.0.0.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://0x7f.1/',
    'https://127.1/',
    'https://example.0x10/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://169.254.169.254/latest/meta-data',
    'https://localhost/',
    'https://LOCALHOST/',
    'https://localhost./',
    'https://example.com./',
    'https://x.localhost/',
    'https://printer.local/',
    'https://metadata.google.internal/',
    'https://intranet/',
    'https://wiki.corp/',
    'https://router.lan/',
    'https://nas.home.arpa/',
    'https://example%2ecom/',
    'https://ex%61mple.com/',
    'https://bücher.example/',
    'https://１２７.０.０.１/',
    'https://-a.example/',
    'https://a..example/',
    `https://${'a'.repeat(64)}.example/`,
    `https://${'a.'.repeat(130)}example/`,
    `https://example.com/${'x'.repeat(2_048)}`,
  ])('%s', (address) => {
    expect(refusalOfAddress(address, false)).toMatch(/\w/);
    expect(refusalOfAddress(address, true)).toMatch(/\w/);
  });
});

describe('this machine', () => {
  it.each(['http://127.0.0.1:8080/x', 'http://localhost:1', 'http://[::1]:9/', 'http://127.0.0.1'])(
    '%s is reached only where that is allowed',
    (address) => {
      expect(refusalOfAddress(address, true)).toBeNull();
      expect(refusalOfAddress(address, false)).toMatch(/\w/);
    },
  );

  it.each(['http://127.0.0.1.example.com/', 'http://localhost@example.com/', 'http://10.0.0.1/'])(
    '%s is not this machine',
    (address) => expect(refusalOfAddress(address, true)).toMatch(/\w/),
  );
});

it('whatever is allowed names, to those who follow it, the host that was checked', () => {
  const part = fc.constantFrom(
    'a',
    '1',
    '.',
    '-',
    ':',
    '@',
    '/',
    '\\',
    '%2e',
    '[',
    ']',
    '0x7',
    '?',
    '#',
    '443',
    'com',
    ' ',
  );
  const addresses = fc.array(part, { maxLength: 12 }).map((parts) => `https://${parts.join('')}`);
  fc.assert(
    fc.property(addresses, (address) => {
      if (refusalOfAddress(address, false) !== null) return;
      const { protocol, hostname, port, username, password } = new URL(address);
      expect([protocol, port, username, password]).toEqual(['https:', '', '', '']);
      expect(hostname).toBe(/^https:\/\/([^/:?]+)/.exec(address)?.[1]);
      expect(hostname).toMatch(/\.[a-z][a-z0-9-]*$/);
    }),
    { numRuns: 5_000 },
  );
});
