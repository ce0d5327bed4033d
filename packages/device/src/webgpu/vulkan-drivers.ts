/** The parts of Node that this file uses; typed here so that browser bundles need none of it. */
interface NodeProcess {
  platform: string;
  env: Record<string, string | undefined>;
  getBuiltinModule?: (name: 'node:fs') => { readdirSync(folder: string): string[] };
}

/** Variables with which a Vulkan loader is told of drivers. */
const DRIVER_VARIABLES = ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES', 'VK_ADD_DRIVER_FILES'];

/**
 * Whether Dawn can hope to find a Vulkan driver on this Linux machine. Where there is none, Dawn says so at length on
 * stderr, from native code that cannot be silenced; not asking it is the only way to say it in one sentence.
 * Other platforms have Metal or D3D12 and always may.
 */
export function mayHaveVulkanDriver(): boolean {
  const node = (globalThis as unknown as { process?: NodeProcess }).process;
  const files = node?.getBuiltinModule?.('node:fs');
  if (!node || !files || node.platform !== 'linux') return true;
  const { env } = node;
  if (DRIVER_VARIABLES.some((name) => env[name])) return true;
  const dataFolders = (env.XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(':');
  const configFolders = (env.XDG_CONFIG_DIRS || '/etc/xdg').split(':');
  const home = env.HOME ?? '';
  const userFolders = [env.XDG_DATA_HOME || `${home}/.local/share`, `${home}/.config`];
  return [...dataFolders, ...configFolders, ...userFolders, '/etc'].some((folder) => {
    try {
      return files.readdirSync(`${folder}/vulkan/icd.d`).some((file) => file.endsWith('.json'));
    } catch {
      return false;
    }
  });
}
