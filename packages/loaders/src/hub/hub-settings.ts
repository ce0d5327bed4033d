import { OptionError } from '@xlstm/device';
import { nodeModules } from '../node/node-modules.ts';
import type { Fetch } from '../transfer/request.ts';
import type { RetryOptions } from '../transfer/retry.ts';

/** Where and as whom the hub is asked. What is left out comes from the environment variables that Python's client reads. */
export interface HubOptions {
  /** The hub's address: HF_ENDPOINT, else https://huggingface.co. */
  readonly endpoint?: string | undefined;
  /** HF_TOKEN, else the file that `hf auth login` writes; `false` sends none. Only the endpoint gets it. */
  readonly token?: string | false | undefined;
  /** Node's cache folder: HF_HUB_CACHE, else HF_HOME/hub, shared with Python. Browsers keep files of their own. */
  readonly cacheDir?: string | undefined;
  /** Ask no server: HF_HUB_OFFLINE. */
  readonly offline?: boolean | undefined;
  readonly fetch?: Fetch | undefined;
  /** A hub that is asked only what is new, the model being kept whole, gets one try of 3 s unless this says otherwise. */
  readonly retry?: RetryOptions | undefined;
}

export interface HubSettings {
  readonly endpoint: string;
  readonly token: string | undefined;
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether there is a file system to keep a cache in; else it is a browser's private files. */
export function hasFileSystem(): boolean {
  return globalThis.process?.getBuiltinModule !== undefined;
}

function environment(): Environment {
  return globalThis.process?.env ?? {};
}

/** Options, then environment, then defaults. */
export async function hubSettings(options: HubOptions): Promise<HubSettings> {
  const env = environment();
  const endpoint = (options.endpoint ?? nonEmpty(env.HF_ENDPOINT) ?? 'https://huggingface.co').replace(/\/+$/, '');
  if (!/^https?:\/\/[^/]/.test(endpoint) || !URL.canParse(endpoint)) {
    throw new OptionError(
      `resolveModel: endpoint must be an http or https address, got ${JSON.stringify(endpoint)}; set it or HF_ENDPOINT`,
    );
  }
  return {
    endpoint,
    token: options.token === false ? undefined : checkedToken(options.token ?? (await foundToken(env))),
    offline: options.offline ?? (isTrue(env.HF_HUB_OFFLINE) || isTrue(env.TRANSFORMERS_OFFLINE)),
  };
}

async function foundToken(env: Environment): Promise<string | undefined> {
  if (isTrue(env.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined;
  const named = env.HF_TOKEN?.trim() || env.HUGGING_FACE_HUB_TOKEN?.trim();
  if (named || !hasFileSystem()) return named || undefined;
  const { fs, path } = nodeModules('resolveModel');
  const file = expanded(nonEmpty(env.HF_TOKEN_PATH) ?? path.join(huggingFaceHome(env), 'token'), env);
  const text = await fs.readFile(file, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  // Never in the message: it is a secret.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new OptionError('resolveModel: token must be printable characters without spaces; copy it again');
  }
  return token;
}

/** The folder that holds `models--ORG--NAME`, as Python's client finds it. */
export function hubCacheFolder(option: string | undefined): string {
  const env = environment();
  const { path } = nodeModules('resolveModel');
  const named = option ?? nonEmpty(env.HF_HUB_CACHE) ?? nonEmpty(env.HUGGINGFACE_HUB_CACHE);
  return path.resolve(expanded(named ?? path.join(huggingFaceHome(env), 'hub'), env));
}

function huggingFaceHome(env: Environment): string {
  const { path } = nodeModules('resolveModel');
  const home = nonEmpty(env.HF_HOME);
  if (home !== undefined) return expanded(home, env);
  return expanded(path.join(nonEmpty(env.XDG_CACHE_HOME) ?? path.join('~', '.cache'), 'huggingface'), env);
}

/** `~` and `$NAME`, as a shell and Python read them. */
function expanded(path: string, env: Environment): string {
  const named = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (all, braced, bare) => env[braced ?? bare] ?? all);
  if (!/^~(?=$|[\\/])/.test(named)) return named;
  return nodeModules('resolveModel').homedir() + named.slice(1);
}

/** Whether links are wanted where the system has them; Python's client reads the same variable. */
export function symlinksAllowed(): boolean {
  return !isTrue(environment().HF_HUB_DISABLE_SYMLINKS);
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? '');
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
