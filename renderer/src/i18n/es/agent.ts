/**
 * What the agent says in words, in Spanish: problems, what the machine allows, hooks, blind spots. The agent says it in
 * English; `{name}` stands for what differs from case to case, `{name*}` for words of the agent that are said in Spanish
 * in turn (parts set apart by "; " or ", "). One without an entry stays as the agent said it. Longer ones first where one
 * could be taken for another.
 */
import { AGENT_DLP_ES } from './agent-dlp.ts';

export const AGENT_ES: readonly (readonly [en: string, es: string])[] = [
  ...AGENT_DLP_ES,
  // Problems: sensor
  ['{missing} of {all} kernel hooks are missing', 'faltan {missing} de {all} enganches del núcleo'],
  ['not seen: {what*}', 'no se ve: {what*}'],
  ['nothing known', 'nada que se sepa'],
  [
    'see the hook table; a newer kernel has them all',
    'vea la tabla de enganches; un núcleo más nuevo los tiene todos',
  ],
  ['replaying recorded events', 'reproduciendo eventos grabados'],
  [
    'nothing that happens on this machine is being recorded',
    'no se registra nada de lo que ocurre en esta máquina',
  ],
  [
    'start without --sensor replay to watch this machine',
    'inicie sin --sensor replay para observar esta máquina',
  ],
  ['the {tier} sensor is in use (by choice)', 'se usa el sensor {tier} (por elección)'],
  ['the {tier} sensor is in use ({why})', 'se usa el sensor {tier} ({why})'],
  ['run as root on a kernel with BTF', 'ejecute como root en un núcleo con BTF'],
  // Problems: logs and disk
  ['the {lane} log cannot be written', 'no se puede escribir el registro {lane}'],
  [
    'new records of this lane are not durable and are counted as lost',
    'los apuntes nuevos de esta vía no son duraderos y se cuentan como perdidos',
  ],
  [
    'check the disk for space and errors, then restart the agent',
    'compruebe el espacio y los errores del disco y reinicie el agente',
  ],
  ['the {lane} log had to move on ({why})', 'el registro {lane} tuvo que seguir en otro segmento ({why})'],
  [
    'nothing was lost: the records went to a spare segment',
    'no se perdió nada: los apuntes fueron a un segmento de reserva',
  ],
  ['check the disk for errors (dmesg, smartctl)', 'compruebe los errores del disco (dmesg, smartctl)'],
  [
    'there is no space for the next segment of the {lane} log',
    'no hay espacio para el siguiente segmento del registro {lane}',
  ],
  [
    'once its last segment is full, ordinary events are shed, each counted in a gap; the space left is for security events',
    'cuando se llene su último segmento se descartarán los eventos corrientes, cada uno contado en un hueco; el espacio que queda es para eventos de seguridad',
  ],
  [
    'security events are recorded until the last segment is full; after that they are lost and counted',
    'los eventos de seguridad se registran hasta que se llene el último segmento; después se pierden y se cuentan',
  ],
  [
    'free some space on the disk of the data folder, or lower wal.maxBytes and timeline.maxBytes',
    'libere espacio en el disco de la carpeta de datos, o reduzca wal.maxBytes y timeline.maxBytes',
  ],
  ['only {n} MiB are free in the data folder', 'solo quedan {n} MiB libres en la carpeta de datos'],
  [
    'ordinary events give way first, each loss counted in a gap; what is left is for security events',
    'primero ceden los eventos corrientes, cada pérdida contada en un hueco; lo que queda es para eventos de seguridad',
  ],
  // Problems: timeline
  ['the timeline is not running', 'la cronología no está en marcha'],
  [
    'recording goes on in the logs; the timeline catches up once it runs',
    'se sigue registrando en los registros; la cronología se pondrá al día cuando funcione',
  ],
  ['restart the agent', 'reinicie el agente'],
  [
    'recording goes on in the logs; queries do not show what is new until the timeline takes it',
    'se sigue registrando en los registros; las consultas no muestran lo nuevo hasta que la cronología lo tome',
  ],
  [
    'nothing; the logs hold everything and the damaged file is kept beside the new one',
    'nada; los registros lo tienen todo y el fichero dañado se guarda junto al nuevo',
  ],
  [
    'free some disk space or correct the permissions of the data folder; the logs keep what the timeline lacks and it catches up by itself',
    'libere espacio o corrija los permisos de la carpeta de datos; los registros guardan lo que le falta a la cronología, que se pone al día sola',
  ],
  ['{what}; it is being made again from the logs', '{what}; se está rehaciendo a partir de los registros'],
  // Problems: refusals, enforcement, losses, rules
  [
    '{n} requests to the agent were refused within a minute (last: {why})',
    'se rechazaron {n} peticiones al agente en un minuto (la última: {why})',
  ],
  [
    'a program of this machine, or a web page in its browser, tries doors it may not open; recording is not affected',
    'un programa de esta máquina, o una página en su navegador, prueba puertas que no puede abrir; el registro no se ve afectado',
  ],
  [
    'find it in the timeline (type:network direction:inbound), or start the agent with --console off',
    'búsquelo en la cronología (type:network direction:inbound), o inicie el agente con --console off',
  ],
  ['enforcement was tampered with: {what}', 'se manipuló la aplicación de políticas: {what}'],
  [
    'the entries were restored at once; in between, something denied may have passed',
    'las entradas se restauraron en el acto; entretanto pudo pasar algo denegado',
  ],
  [
    'what depends on this hook is no longer seen or stopped',
    'lo que depende de este enganche ya no se ve ni se detiene',
  ],
  [
    'find who called bpf (type:module action:bpf) and end it',
    'busque quién llamó a bpf (type:module action:bpf) y termínelo',
  ],
  [
    'restart the agent, and find who called bpf (type:module action:bpf)',
    'reinicie el agente y busque quién llamó a bpf (type:module action:bpf)',
  ],
  ['{n} records were lost in {gaps} gap within 24 h', 'se perdieron {n} apuntes en {gaps} hueco en 24 h'],
  ['{n} records were lost in {gaps} gaps within 24 h', 'se perdieron {n} apuntes en {gaps} huecos en 24 h'],
  [
    'the record has holes there; each is a signed entry of the timeline that says how many, of what, when and why',
    'el registro tiene ahí huecos; cada uno es una entrada firmada de la cronología que dice cuántos, de qué, cuándo y por qué',
  ],
  [
    'sentinel events "type:integrity_gap last:1d" lists them; look at what was so busy at that time',
    'sentinel events "type:integrity_gap last:1d" los enumera; mire qué estaba tan ocupado entonces',
  ],
  ['the observability lane is overloaded ({state})', 'la vía de observabilidad está sobrecargada ({state})'],
  [
    'low-priority records may be shed, each counted in a gap; the security lane is not touched',
    'pueden descartarse apuntes de baja prioridad, cada uno contado en un hueco; la vía de seguridad no se toca',
  ],
  [
    'raise observability.maxBufferBytes or find what is so busy',
    'aumente observability.maxBufferBytes o busque qué está tan ocupado',
  ],
  ['{n} rule file did not load', 'no se cargó {n} fichero de reglas'],
  ['{n} rule files did not load', 'no se cargaron {n} ficheros de reglas'],
  ['the other {n} rules are in force', 'las otras {n} reglas están en vigor'],
  [
    'see the list below, or run sentinel rules check',
    'vea la lista de abajo, o ejecute sentinel rules check',
  ],
  // What the machine allows
  ['runtime', 'entorno de ejecución'],
  ['native addon', 'complemento nativo'],
  ['kernel', 'núcleo'],
  ['privileges', 'privilegios'],
  ['kernel types (BTF)', 'tipos del núcleo (BTF)'],
  ['eBPF object', 'objeto eBPF'],
  ['eBPF addon', 'complemento eBPF'],
  ['data folder', 'carpeta de datos'],
  ['permissions', 'permisos'],
  ['clock', 'reloj'],
  ['bundled rules', 'reglas incluidas'],
  ['console', 'consola'],
  ['Node {version}; 24 is needed', 'Node {version}; se necesita el 24'],
  ['start it by npm run sentinel, which brings its own', 'inícielo con npm run sentinel, que trae el suyo'],
  ['loads', 'se carga'],
  ['built', 'compilado'],
  ['not built', 'sin compilar'],
  ['found', 'encontradas'],
  ['not found', 'no encontradas'],
  ['{why}; the slower log writer is used', '{why}; se usa el escritor de registros más lento'],
  ['apt-get install {packages}, then npm run build', 'apt-get install {packages}, y después npm run build'],
  ['all capabilities of the kernel sensor', 'todas las capacidades del sensor del núcleo'],
  ['missing {names}: the fallback sensor will be used', 'faltan {names}: se usará el sensor de reserva'],
  ['run as root, or install the service', 'ejecute como root, o instale el servicio'],
  ['this kernel has none', 'este núcleo no los tiene'],
  ['use a kernel with CONFIG_DEBUG_INFO_BTF', 'use un núcleo con CONFIG_DEBUG_INFO_BTF'],
  ['not mounted: no connection hooks', 'sin montar: no hay enganches de conexiones'],
  ['{n} GB free in {folder}', '{n} GB libres en {folder}'],
  [
    'free some space, or choose another folder with --data',
    'libere espacio, o elija otra carpeta con --data',
  ],
  ['{folder} cannot be written ({code})', 'no se puede escribir en {folder} ({code})'],
  ['choose another folder with --data', 'elija otra carpeta con --data'],
  ['no kernel sensor for {platform} yet', 'aún no hay sensor del núcleo para {platform}'],
  ['reinstall, or npm run build', 'reinstale, o npm run build'],
  [
    '{release}: older than {least}, the fallback sensor will be used',
    '{release}: anterior a {least}, se usará el sensor de reserva',
  ],
  ['use a newer kernel; Debian 12 has one', 'use un núcleo más nuevo; Debian 12 tiene uno'],
  ['{time} lies before this program existed', '{time} es anterior a la existencia de este programa'],
  [
    '{time}: the last record is {n} minutes ahead of it',
    '{time}: el último apunte está {n} minutos por delante',
  ],
  [
    'set the clock and keep it by NTP: timedatectl set-ntp true',
    'ponga el reloj en hora y manténgalo por NTP: timedatectl set-ntp true',
  ],
  [
    '{folder} is {mode}, owned by uid {uid}: others may put files of theirs in it',
    '{folder} es {mode}, del uid {uid}: otros pueden poner ficheros suyos en ella',
  ],
  [
    '{folder} is {mode}, owned by uid {uid}: others see what lies in it',
    '{folder} es {mode}, del uid {uid}: otros ven lo que hay en ella',
  ],
  ['{folder} is {mode}, owned by uid {uid}', '{folder} es {mode}, del uid {uid}'],
  ['the {tier} sensor does not tell of written files', 'el sensor {tier} no informa de ficheros escritos'],
  // Hooks
  ['polled every {n} ms', 'sondeado cada {n} ms'],
  ['only with the scope of the whole host', 'solo con el ámbito de toda la máquina'],
  ['{n} directories', '{n} directorios'],
  [
    '{n} programs ended before their details could be read',
    '{n} programas terminaron antes de poder leer sus detalles',
  ],
  [
    'the socket failed with errno {n}; restart the agent',
    'el socket falló con errno {n}; reinicie el agente',
  ],
  ['{n} of {all} records, {pace}', '{n} de {all} apuntes, {pace}'],
  ['this kernel has no {what}', 'este núcleo no tiene {what}'],
  ['the hook is not attached', 'el enganche no está puesto'],
  ['processes', 'procesos'],
  ['connections', 'conexiones'],
  ['file changes', 'cambios de ficheros'],
  // Blind spots
  ['Everything that happens on this machine', 'Todo lo que ocurre en esta máquina'],
  [
    'A recording is being replayed instead of watching the machine.',
    'Se reproduce una grabación en lugar de observar la máquina.',
  ],
  ['Start without --sensor replay:…', 'Inicie sin --sensor replay:…'],
  [
    'arguments of 32-bit system calls that do not name files',
    'argumentos de llamadas al sistema de 32 bits que no nombran ficheros',
  ],
  [
    'mount, ptrace, setuid, module loading and the like through int 0x80 are recorded with their numbers only',
    'mount, ptrace, setuid, carga de módulos y similares por int 0x80 se registran solo con sus números',
  ],
  ['outcome of io_uring file operations', 'resultado de las operaciones de ficheros por io_uring'],
  [
    'they are recorded when submitted, with their path, and not when they succeed',
    'se registran al enviarse, con su ruta, y no cuando tienen éxito',
  ],
  [
    'boot a kernel that allows LSM programs (CONFIG_BPF_LSM=y and lsm=…,bpf)',
    'arranque un núcleo que permita programas LSM (CONFIG_BPF_LSM=y y lsm=…,bpf)',
  ],
  ['some last closes of written files', 'algunos últimos cierres de ficheros escritos'],
  [
    'a file closed by exec, by io_uring, by the end of a process that shared its descriptors, or while another thread uses it has no write record',
    'un fichero cerrado por exec, por io_uring, por el fin de un proceso que compartía sus descriptores, o mientras otro hilo lo usa, no tiene apunte de escritura',
  ],
  ['boot a kernel that allows fentry programs', 'arranque un núcleo que permita programas fentry'],
  ['symbolic links in the paths of setxattr', 'enlaces simbólicos en las rutas de setxattr'],
  [
    'symbolic links in the paths of rename, unlink, link, chmod and the like',
    'enlaces simbólicos en las rutas de rename, unlink, link, chmod y similares',
  ],
  [
    'these paths are shown as the caller gave them, and a racing thread can change them during the call; opens show the real file',
    'estas rutas se muestran como las dio quien llamó, y otro hilo puede cambiarlas durante la llamada; las aperturas muestran el fichero real',
  ],
  ['read-only opens of ordinary files', 'aperturas de solo lectura de ficheros corrientes'],
  [
    'only files that hold credentials are recorded when read',
    'solo se registra la lectura de ficheros que guardan credenciales',
  ],
  ['set readOpens to record them all', 'active readOpens para registrarlas todas'],
  [
    'most of the times that a process makes written memory executable',
    'la mayoría de las veces que un proceso hace ejecutable memoria escrita',
  ],
  [
    'compilers at run time do it all the time: the first, the 16th, the 256th and so on are recorded, with the count',
    'los compiladores en ejecución lo hacen continuamente: se registran la 1.ª, la 16.ª, la 256.ª y así, con la cuenta',
  ],
  [
    'datagrams over unix sockets, and unix connections through io_uring',
    'datagramas por sockets unix, y conexiones unix por io_uring',
  ],
  ['only connect is recorded', 'solo se registra connect'],
  ['names that are resolved over TLS, HTTPS or D-Bus', 'nombres que se resuelven por TLS, HTTPS o D-Bus'],
  ['DNS questions are read from packets to port 53', 'las preguntas de DNS se leen de paquetes al puerto 53'],
  [
    'connections that were open before the sensor started',
    'conexiones que estaban abiertas antes de iniciarse el sensor',
  ],
  ['their process is not known to the socket hooks', 'los enganches de sockets no conocen su proceso'],
  ['events of {hook}', 'eventos de {hook}'],
  [
    'Command lines, paths and working directories of processes that end within about a millisecond',
    'Líneas de órdenes, rutas y directorios de trabajo de procesos que terminan en cosa de un milisegundo',
  ],
  [
    'The kernel tells only the number of a process; the rest is read from /proc right after.',
    'El núcleo solo dice el número de un proceso; el resto se lee de /proc justo después.',
  ],
  [
    'The kernel tells only the number of a process; the rest is read from /proc right after. {why}',
    'El núcleo solo dice el número de un proceso; el resto se lee de /proc justo después. {why}',
  ],
  [
    'Processes that live for less than about 20 ms, and what they did',
    'Procesos que viven menos de unos 20 ms, y lo que hicieron',
  ],
  [
    '/proc is looked at again and again instead of being told by the kernel.',
    '/proc se mira una y otra vez en lugar de que lo diga el núcleo.',
  ],
  [
    '/proc is looked at again and again instead of being told by the kernel. {why}',
    '/proc se mira una y otra vez en lugar de que lo diga el núcleo. {why}',
  ],
  [
    "Executables, hashes, working directories and sockets of other users' processes",
    'Ejecutables, resúmenes, directorios de trabajo y sockets de procesos de otros usuarios',
  ],
  [
    "Executables, working directories and sockets of other users' processes",
    'Ejecutables, directorios de trabajo y sockets de procesos de otros usuarios',
  ],
  ['Only root may read them.', 'Solo root puede leerlos.'],
  ['Run the agent as root.', 'Ejecute el agente como root.'],
  [
    'ptrace, privilege changes without a new program, most exit codes',
    'ptrace, cambios de privilegios sin un programa nuevo, la mayoría de los códigos de salida',
  ],
  ['/proc does not show them.', '/proc no los muestra.'],
  [
    'File reads and writes, except changes in a few system directories, and who made those',
    'Lecturas y escrituras de ficheros, salvo cambios en unos pocos directorios del sistema, y quién los hizo',
  ],
  [
    'inotify tells that a file changed, not who changed it.',
    'inotify dice que un fichero cambió, no quién lo cambió.',
  ],
  [
    'Short connections, DNS questions, bytes sent, other network namespaces',
    'Conexiones cortas, preguntas de DNS, bytes enviados, otros espacios de red',
  ],
  [
    '/proc/net is looked at once a second and shows this network namespace only.',
    '/proc/net se mira una vez por segundo y solo muestra este espacio de red.',
  ],
  [
    'Memory made writable and executable, memfd creation, module and BPF loads, mounts, namespaces, io_uring',
    'Memoria hecha escribible y ejecutable, creación de memfd, cargas de módulos y BPF, montajes, espacios de nombres, io_uring',
  ],
  ['Nothing but kernel probes shows them.', 'Solo las sondas del núcleo los muestran.'],
  [
    'Run the agent as root on a kernel with BTF (/sys/kernel/btf/vmlinux).',
    'Ejecute el agente como root en un núcleo con BTF (/sys/kernel/btf/vmlinux).',
  ],
];
