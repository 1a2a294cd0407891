/** Keys and certificates for tests of TLS, made by openssl in a folder. */
import { execFileSync } from 'node:child_process';

const openssl = (folder: string, line: string): void =>
  void execFileSync('openssl', line.split(' '), { cwd: folder, stdio: 'ignore' });

/** NAME.key and NAME.pem of a certificate that signs itself. */
export const makeCa = (folder: string, name: string): void =>
  openssl(folder, `req -x509 -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.pem -subj /CN=${name}`);

/** NAME.key and NAME.pem, signed by a CA of the folder. */
export function issue(folder: string, name: string, ca: string): void {
  openssl(folder, `req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
  openssl(folder, `x509 -req -in ${name}.csr -CA ${ca}.pem -CAkey ${ca}.key -CAcreateserial -out ${name}.pem`);
}
