#!/usr/bin/env node
// The weft command. From an installed package it runs the compiled files, from a checkout the sources.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const source = new URL('../src/main/weft.ts', import.meta.url);
const compiled = new URL('../dist/src/main/weft.js', import.meta.url);
await import(existsSync(fileURLToPath(source)) ? source.href : compiled.href);
