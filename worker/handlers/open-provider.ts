// The provider of a registered number, ready to be asked. Credentials are decrypted here and live no longer than the request.
import { dialogProvider } from '../adapters/provider-360dialog.ts';
import { metaProvider } from '../adapters/provider-meta.ts';
import type { Provider } from '../adapters/provider.ts';
import { unseal } from '../adapters/sealed-secret.ts';
import type { NumberId } from '../domain/ids.ts';
import type { Services } from '../services.ts';

/**
 * @returns null when the number is not registered
 * @throws Error when its access token cannot be decrypted any more
 */
export async function openProvider(
  { config, directory }: Pick<Services, 'config' | 'directory'>,
  numberId: NumberId,
): Promise<Provider | null> {
  const number = await directory.findNumber(numberId);
  if (!number) return null;
  const access = {
    baseUrl: number.apiBaseUrl,
    version: config.GRAPH_VERSION,
    phoneNumberId: number.phoneNumberId,
    accessToken: await unseal(config.TOKEN_ENCRYPTION_KEYS, number.id, number.sealed),
  };
  return number.provider === 'meta' ? metaProvider(access) : dialogProvider(access);
}
