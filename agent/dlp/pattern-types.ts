/** The patterns that come with the agent: how sure a bare hit is, how people write it, and what stands near it. */

export interface PatternType {
  what: 'number' | 'secret';
  title: string;
  /** Confidence of digits in a row, of groups as people write them, and with a word near. 0 to 1. */
  plain: number;
  grouped: number;
  inContext: number;
  /** Lengths of groups, as 3-2-4. */
  groupings: readonly string[];
  /** Words near that make it sure, in lower case. */
  context: readonly string[];
}

const number = (
  title: string,
  [plain, grouped, inContext]: readonly [number, number, number],
  groupings: string,
  context: string,
): PatternType => ({
  what: 'number',
  title,
  plain,
  grouped,
  inContext,
  groupings: groupings === '' ? [] : groupings.split(' '),
  context: context === '' ? [] : context.split(', '),
});

const secret = (title: string, confidence = 0.9): PatternType => ({
  what: 'secret',
  title,
  plain: confidence,
  grouped: confidence,
  inContext: confidence,
  groupings: [],
  context: [],
});

const IBAN_GROUPS = Array.from({ length: 20 }, (_, index) => {
  const characters = index + 15;
  const groups = Array.from({ length: Math.floor(characters / 4) }, () => 4);
  if (characters % 4 > 0) groups.push(characters % 4);
  return groups.join('-');
}).join(' ');

/** Weak ones (one check digit of ten or none) need a word near to be reported at the usual threshold of 0.5. */
export const PATTERN_TYPES: Readonly<Record<string, PatternType>> = {
  card: number(
    'payment card',
    [0.65, 0.8, 0.95],
    '4-4-4-4 4-6-5 4-6-4 4-4-5 4-4-4-4-3 4-4-4-1 6-10',
    'card, credit, debit, visa, mastercard, amex, american express, cvv, cvc, expiry, expires, pan, tarjeta, karte, kreditkarte, carte, carta, cartão, cc, 信用卡, 卡号, カード',
  ),
  iban: number(
    'bank account (IBAN)',
    [0.95, 0.97, 0.99],
    IBAN_GROUPS,
    'iban, account, konto, cuenta, compte, conto, bic, swift',
  ),
  us_ssn: number(
    'US social security number',
    [0.2, 0.6, 0.9],
    '3-2-4',
    'ssn, ss#, social security, social, soc sec, tax id, taxpayer, seguro social',
  ),
  us_itin: number('US taxpayer number (ITIN)', [0.2, 0.6, 0.9], '3-2-4', 'itin, taxpayer, tax id, w-7'),
  us_npi: number(
    'US provider number (NPI)',
    [0.3, 0.3, 0.9],
    '',
    'npi, provider, prescriber, national provider',
  ),
  us_dea: number('US drug prescriber (DEA)', [0.55, 0.55, 0.95], '', 'dea, prescriber, controlled substance'),
  us_mbi: number(
    'Medicare beneficiary (MBI)',
    [0.6, 0.85, 0.95],
    '4-3-4',
    'mbi, medicare, beneficiary, member id',
  ),
  icd10: number(
    'diagnosis (ICD-10)',
    [0.1, 0.3, 0.8],
    '3-1 3-2 3-3 3-4',
    'icd, icd-10, icd10, diagnosis, diagnoses, dx, diagnostic code, diagnose, diagnóstico',
  ),
  us_routing: number('US bank routing number', [0.2, 0.2, 0.85], '4-4-1', 'routing, aba, rtn, wire, transit'),
  es_dni: number('Spanish DNI', [0.75, 0.85, 0.95], '8-1 2-3-3-1 2-3-4', 'dni, nif, documento, identidad'),
  es_nie: number('Spanish NIE', [0.8, 0.9, 0.95], '1-7-1 8-1', 'nie, extranjero, identidad'),
  uk_nino: number(
    'UK national insurance number',
    [0.6, 0.85, 0.95],
    '2-2-2-2-1 2-6-1 2-2-2-3',
    'nino, national insurance, ni number, ni no, insurance number',
  ),
  uk_nhs: number('UK NHS number', [0.25, 0.55, 0.95], '3-3-4', 'nhs, patient, health service'),
  fr_nir: number(
    'French social security number',
    [0.85, 0.95, 0.99],
    '1-2-2-2-3-3-2 13-2 1-2-2-2-3-3-2',
    'nir, insee, sécurité sociale, securite sociale, numéro de sécu, sécu',
  ),
  de_idnr: number(
    'German tax number (IdNr)',
    [0.4, 0.6, 0.95],
    '2-3-3-3',
    'idnr, steuer-id, steuer, steueridentifikationsnummer, identifikationsnummer, steuernummer, tin',
  ),
  it_codice_fiscale: number(
    'Italian codice fiscale',
    [0.95, 0.97, 0.99],
    '6-5-5 3-3-5-5',
    'codice fiscale, cf',
  ),
  br_cpf: number('Brazilian CPF', [0.5, 0.9, 0.97], '3-3-3-2', 'cpf, cadastro, contribuinte'),
  br_cnpj: number('Brazilian CNPJ', [0.6, 0.9, 0.97], '2-3-3-4-2', 'cnpj, empresa'),
  in_aadhaar: number('Indian Aadhaar', [0.35, 0.65, 0.95], '4-4-4', 'aadhaar, aadhar, uidai, uid, आधार'),
  in_pan: number('Indian PAN', [0.6, 0.6, 0.95], '', 'pan, permanent account, income tax'),
  ca_sin: number('Canadian SIN', [0.2, 0.5, 0.9], '3-3-3', 'sin, social insurance, assurance sociale, nas'),
  au_tfn: number('Australian TFN', [0.2, 0.45, 0.9], '3-3-3 3-3-2', 'tfn, tax file'),
  nl_bsn: number('Dutch BSN', [0.2, 0.35, 0.9], '4-2-3 3-3-3', 'bsn, burgerservicenummer, sofinummer, sofi'),
  pl_pesel: number('Polish PESEL', [0.6, 0.6, 0.95], '', 'pesel, ewidencyjny'),
  se_personnummer: number(
    'Swedish personal number',
    [0.45, 0.7, 0.95],
    '6-4 8-4',
    'personnummer, personnr, samordningsnummer',
  ),
  cn_resident: number(
    'Chinese resident number',
    [0.9, 0.9, 0.99],
    '6-8-4',
    '身份证, 身份证号, 公民身份, 證件, id card, resident identity',
  ),
  be_national: number(
    'Belgian national number',
    [0.5, 0.9, 0.97],
    '2-2-2-3-2 6-3-2',
    'rijksregister, registre national, rijksregisternummer, nrn, insz, niss',
  ),
  ch_ahv: number(
    'Swiss AHV number',
    [0.8, 0.95, 0.99],
    '3-4-4-2',
    'ahv, avs, avs-nummer, sozialversicherung',
  ),
  dk_cpr: number('Danish CPR number', [0.15, 0.45, 0.9], '6-4', 'cpr, personnummer, cpr-nr'),
  fi_hetu: number('Finnish HETU', [0.7, 0.85, 0.95], '6-4', 'hetu, henkilötunnus, personbeteckning'),
  no_fodselsnummer: number(
    'Norwegian fødselsnummer',
    [0.7, 0.8, 0.97],
    '6-5',
    'fødselsnummer, personnummer, fnr',
  ),
  tr_kimlik: number('Turkish kimlik number', [0.5, 0.5, 0.95], '', 'tc kimlik, kimlik, tckn, t.c.'),
  kr_rrn: number(
    'Korean resident number',
    [0.5, 0.8, 0.97],
    '6-7',
    '주민등록번호, 주민번호, rrn, resident registration',
  ),
  mx_curp: number('Mexican CURP', [0.95, 0.95, 0.99], '', 'curp'),
  za_id: number('South African ID', [0.55, 0.7, 0.95], '6-4-2-1 6-4-3', 'identity number, id number, rsa id'),
  pt_nif: number('Portuguese NIF', [0.2, 0.35, 0.9], '3-3-3', 'nif, contribuinte, finanças'),
  ie_pps: number('Irish PPS number', [0.6, 0.6, 0.95], '7-1 7-2', 'pps, ppsn, personal public service'),
  il_id: number('Israeli ID', [0.15, 0.2, 0.85], '', 'teudat zehut, תעודת זהות, ת.ז, mispar zehut'),
  aws_access_key: secret('AWS access key'),
  aws_secret_key: secret('AWS secret key', 0.95),
  github_token: secret('GitHub token', 0.99),
  gitlab_token: secret('GitLab token', 0.95),
  google_api_key: secret('Google API key'),
  jwt: secret('JSON web token'),
  npm_token: secret('npm token', 0.99),
  private_key: secret('private key', 0.98),
  pypi_token: secret('PyPI token', 0.98),
  slack_token: secret('Slack token', 0.95),
  slack_webhook: secret('Slack webhook', 0.95),
  stripe_key: secret('Stripe key', 0.95),
  email: { ...secret('e-mail address', 0.8) },
};
