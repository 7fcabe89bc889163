/** What the agent says of protected data, in Spanish; see agent.ts. */
export const AGENT_DLP_ES: readonly (readonly [en: string, es: string])[] = [
  ['not in force for protected data: {what*}', 'no está en vigor para los datos protegidos: {what*}'],
  ['no protected data is looked for', 'no se busca ningún dato protegido'],
  [
    'what it holds may not be looked for; the other indexes and rules are in force',
    'puede que no se busque lo que contiene; los demás índices y reglas están en vigor',
  ],
  ['build it again with sentinel dlp index build', 'vuelva a crearlo con sentinel dlp index build'],
  [
    '{n} file was not looked at for protected data: too many waited',
    '{n} archivo quedó sin mirar en busca de datos protegidos: esperaban demasiados',
  ],
  [
    '{n} files were not looked at for protected data: too many waited',
    '{n} archivos quedaron sin mirar en busca de datos protegidos: esperaban demasiados',
  ],
  [
    'data may have left in them; how many, and where to, is on record',
    'en ellos pueden haber salido datos; cuántos y adónde consta en el registro',
  ],
  [
    'sentinel events "type:dlp action:skipped" lists them; raise dlp.queueFiles, or scan the folder now',
    'sentinel events "type:dlp action:skipped" los enumera; aumente dlp.queueFiles o analice la carpeta ahora',
  ],
  ['the index {path} cannot be read ({why})', 'no se puede leer el índice {path} ({why})'],
  ['the index {path} cannot be read', 'no se puede leer el índice {path}'],
  ['the index {path} is not an index', '{path} no es un índice'],
  [
    'the index {path} has a format this version does not know',
    'el índice {path} tiene un formato que esta versión no conoce',
  ],
  ['the index {path} is cut off ({why})', 'el índice {path} está cortado ({why})'],
  ['the index {path} is cut off', 'el índice {path} está cortado'],
  ['the index {path} was made with another key ({key})', 'el índice {path} se hizo con otra clave ({key})'],
  ['the index {path} was made with another key', 'el índice {path} se hizo con otra clave'],
  [
    'the index {path} was changed after it was made ({why})',
    'el índice {path} se cambió después de hacerlo ({why})',
  ],
  ['the index {path} was changed after it was made', 'el índice {path} se cambió después de hacerlo'],
  ['the signature of the index {path} is false', 'la firma del índice {path} es falsa'],
  [
    'the index {path} was signed by {who}, whom this device does not trust',
    'el índice {path} lo firmó {who}, en quien este dispositivo no confía',
  ],
  ['others may read the key file {path} (mode {mode})', 'otros pueden leer la clave {path} (modo {mode})'],
  ['{path} is no key file', '{path} no es una clave'],
  [
    'it holds 64 hex digits; sentinel dlp index build makes one',
    'contiene 64 cifras hexadecimales; sentinel dlp index build crea una',
  ],
  ['{path} of {setting} is not there', '{path} de {setting} no está'],
  ['put the file there, or correct {setting}', 'ponga ahí el archivo o corrija {setting}'],
  ['check its permissions', 'compruebe sus permisos'],
  ['name a file made by sentinel dlp index build', 'indique un archivo hecho con sentinel dlp index build'],
  ['build it again, or update Sentinel', 'vuelva a crearlo o actualice Sentinel'],
  ['copy it again, or build it again', 'cópielo otra vez o vuelva a crearlo'],
  ['give that key with --key', 'indique esa clave con --key (dlp.keys para el agente)'],
  [
    "give that signer's public key with --trust",
    'indique la clave pública de quien lo firmó con --trust (dlp.trust para el agente)',
  ],
  ['build it again', 'vuelva a crearlo'],
  ['there is no index and no rule', 'no hay índice ni regla'],
  [
    'it has {size} bytes; at most {most} are looked at (dlp.maxBytes)',
    'tiene {size} bytes; se examinan {most} como máximo (dlp.maxBytes)',
  ],
  ['the directory of the archive is missing', 'falta el directorio del archivo comprimido'],
  ['{member}: it is encrypted', '{member}: está cifrado'],
  ['it is encrypted', 'está cifrado'],
  ['it was written to all the time', 'se escribía en él sin cesar'],
  ['too many files waited', 'esperaban demasiados archivos'],
  ['{path} is being looked at; wait for it, or cancel it', '{path} se está examinando; espere o cancélelo'],
  [
    '{path} cannot be looked at (ENOENT); name a file or folder that is there',
    '{path} no existe; indique un archivo o una carpeta que exista',
  ],
  [
    '{path} cannot be looked at (EACCES); the agent may not open it: run the agent as root, or scan another folder',
    'el agente no puede abrir {path}; ejecútelo como root o examine otra carpeta',
  ],
];
