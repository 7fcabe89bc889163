/**
 * Names that the kernel side knows: which file names and directories make a change a security record, and whose
 * read-only opens are recorded at all. Matching is by path component, so it also holds inside containers and for
 * files that are replaced; it errs towards recording too much. A name has at most 31 bytes.
 */

/** Bits of SN_WATCH_* in native-addon/src/linux/sensor-abi.h. */
const Watch = { READ_LEAF: 1, READ_DIR: 2, SEC_LEAF: 4, SEC_DIR: 8, SEC_TOP: 16, READ_PROC: 32 } as const;

export interface WatchName {
  name: string;
  bits: number;
}

/** Directories of the root: programs, libraries, configuration, the boot loader. */
const TOP_DIRECTORIES = ['etc', 'boot', 'bin', 'sbin', 'lib', 'lib64', 'usr'];

/** Directories wherever they are: what is in them runs by itself or lets someone in. */
const DIRECTORIES = [
  '.ssh',
  '.gnupg',
  'autostart',
  'binfmt_misc',
  'cron.d',
  'crontabs',
  'init.d',
  'pam.d',
  'profile.d',
  'rules.d',
  'sudoers.d',
  'systemd',
];

/** Files wherever they are. */
const FILES = [
  '.bash_login',
  '.bash_logout',
  '.bash_profile',
  '.bashrc',
  '.kshrc',
  '.profile',
  '.zprofile',
  '.zshenv',
  '.zshrc',
  'authorized_keys',
  'core_pattern',
  'hotplug',
  'ld.so.preload',
  'modprobe',
  'rc.local',
  'release_agent',
  'uevent_helper',
  'wtmp',
  'btmp',
  'utmp',
  'lastlog',
  'auth.log',
  'audit.log',
  '.bash_history',
];

/** Files whose contents are credentials, wherever they are. */
const SECRETS = [
  'shadow',
  'shadow-',
  'gshadow',
  'opasswd',
  'master.key',
  'id_rsa',
  'id_dsa',
  'id_ecdsa',
  'id_ed25519',
  'krb5.keytab',
  '.netrc',
  '.pgpass',
  '.my.cnf',
  '.git-credentials',
  '.vault-token',
  'Login Data',
  'Cookies',
  'cookies.sqlite',
  'logins.json',
  'key3.db',
  'key4.db',
  'kcore',
  'admin.conf',
  'kubeconfig',
];

/** Sockets of programs that start others with all rights for whoever may connect. */
const SOCKETS = [
  'docker.sock',
  'podman.sock',
  'containerd.sock',
  'crio.sock',
  'dockershim.sock',
  'lxd.socket',
  'unix.socket',
  'libvirt-sock',
  'snapd.socket',
];

/** Names that are secrets only on procfs: other processes' memory. */
const PROC_SECRETS = ['mem'];

/** The list the kernel gets; `extraDirectories` are further directory names whose contents matter. */
export function watchNames(extraDirectories: readonly string[] = []): WatchName[] {
  const names = new Map<string, number>();
  const add = (list: readonly string[], bits: number): void => {
    for (const name of list) {
      if (Buffer.byteLength(name) < 32) names.set(name, (names.get(name) ?? 0) | bits);
    }
  };
  add(TOP_DIRECTORIES, Watch.SEC_TOP);
  add(DIRECTORIES, Watch.SEC_DIR);
  add(extraDirectories, Watch.SEC_DIR);
  add(['.ssh', '.gnupg'], Watch.READ_DIR);
  add(FILES, Watch.SEC_LEAF);
  add(SECRETS, Watch.SEC_LEAF | Watch.READ_LEAF);
  add(SOCKETS, Watch.SEC_LEAF);
  add(PROC_SECRETS, Watch.READ_PROC | Watch.SEC_LEAF);
  return [...names].map(([name, bits]) => ({ name, bits }));
}
