import { OptionError } from '@xlstm/device';

/** A model on the hub at a revision. */
export interface ModelId {
  /** `ORG/NAME`, or `NAME` for some old ones. */
  readonly id: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

const NAME = /^[A-Za-z0-9_](?:[\w.-]{0,94}\w)?$/;
/** Git's names, less what a path or an address could stumble over. */
const REVISION = /^\w[\w./+@=-]{0,199}$/;

/** The parts of a hub id, checked: both become parts of paths and addresses. */
export function modelId(id: string, revision = 'main'): ModelId {
  const parts = id.split('/');
  const sound = parts.length <= 2 && parts.every((part) => NAME.test(part)) && !/--|\.\./.test(id);
  if (!sound) {
    throw new OptionError(
      `resolveModel: a model is a hub id such as NX-AI/xLSTM-7b, an address, or a folder that exists; got ${JSON.stringify(id.slice(0, 300))}`,
    );
  }
  if (!REVISION.test(revision) || /\.\.|\/\/|\/$|\.lock$/.test(revision)) {
    throw new OptionError(
      `resolveModel: revision must be a branch, a tag or a commit, got ${JSON.stringify(String(revision).slice(0, 300))}`,
    );
  }
  return { id, revision };
}

/** The model that a page of the hub shows (`ENDPOINT/ORG/NAME`, also with `/tree/REVISION`); undefined elsewhere. */
export function modelOfPage(url: URL, endpoint: string, revision: string | undefined): ModelId | undefined {
  const base = new URL(`${endpoint}/`);
  const hosts = [base.host, 'huggingface.co', 'hf.co'];
  const prefix = url.host === base.host ? base.pathname : '/';
  if (!hosts.includes(url.host) || !url.pathname.startsWith(prefix)) return undefined;
  const parts = url.pathname.slice(prefix.length).split('/').filter(Boolean).map(decodeURIComponent);
  const [org, name, kind, ...rest] = parts;
  if (org === undefined || name === undefined) return undefined;
  if (kind === undefined) return modelId(`${org}/${name}`, revision);
  if (kind === 'tree' && rest.length > 0) return modelId(`${org}/${name}`, revision ?? rest.join('/'));
  return undefined;
}

/** Whether a revision is a commit in full, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
