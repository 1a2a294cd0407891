// The machines that the addon is built for, by npm's and Rust's names for them.
const linkers = { gnu: 'gcc', musl: 'musl-gcc' };

const target = (arch, abi) => {
  const cpu = arch === 'x64' ? 'x86_64' : 'aarch64';
  const rust = `${cpu}-unknown-linux-${abi}`;
  const variable = rust.toUpperCase().replaceAll('-', '_');
  const isHere = process.arch === arch;
  const linker = isHere ? linkers[abi] : `${cpu}-linux-${abi}-gcc`;
  // a library that a program loads uses the program's C library
  const flags = abi === 'musl' ? { [`CARGO_TARGET_${variable}_RUSTFLAGS`]: '-C target-feature=-crt-static' } : {};
  return {
    name: `linux-${arch}-${abi}`,
    arch,
    abi,
    rust,
    /** In build/. The loader there looks for what a build on the machine itself gives: without the C library's name. */
    file: abi === 'gnu' ? `weft-native.linux-${arch}.node` : `weft-native.linux-${arch}-musl.node`,
    env: { [`CARGO_TARGET_${variable}_LINKER`]: linker, ...flags },
    needs: `rustup target add ${rust}, and ${linker}`,
  };
};

export const nativeTargets = ['x64', 'arm64'].flatMap((arch) => ['gnu', 'musl'].map((abi) => target(arch, abi)));
