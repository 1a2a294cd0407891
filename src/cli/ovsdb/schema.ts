/** Schemas from files and servers, with errors for users. */
import { OvsdbError } from '../../ovsdb/error.ts';
import type { Json } from '../../ovsdb/json.ts';
import { type DatabaseSchema, schemaFromJson } from '../../ovsdb/schema.ts';
import { Fatal } from '../common/io.ts';
import { readSchemaJson } from '../common/json-file.ts';

/** @throws Fatal */
export function parseSchema(json: Json): DatabaseSchema {
  try {
    return schemaFromJson(json);
  } catch (error) {
    if (error instanceof OvsdbError) throw new Fatal(error.toString());
    throw error;
  }
}

/** @throws Fatal */
export const readSchema = (file: string): DatabaseSchema => parseSchema(readSchemaJson(file));
