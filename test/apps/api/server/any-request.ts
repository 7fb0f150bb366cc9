import { fc } from '../../../helpers/properties.ts';

/** A JSON schema of the document, as far as requests use it. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
}

export interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[];
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

const LONGEST = 12;

/** Waiting would only make the tests slow. */
const NOT_SENT = ['wait'];

/** @returns queries of the operation, from none of its parameters to all of them, with `?` */
export function anyQuery(operation: Operation): fc.Arbitrary<string> {
  const inQuery = (operation.parameters ?? []).filter((one) => one.in === 'query' && !NOT_SENT.includes(one.name));
  const values = Object.fromEntries(inQuery.map(({ name, schema }) => [name, anyOf({ paths: {} }, schema)]));
  return fc.record(values, { requiredKeys: [] }).map((given) => {
    const pairs = Object.entries(given).map(([name, value]) => [name, String(value)] as [string, string]);
    return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
  });
}

/** @returns JSON texts of bodies that the document allows; undefined for none */
export function anyBody(document: ApiDocument, { requestBody }: Operation): fc.Arbitrary<string | undefined> {
  const schema = requestBody?.content['application/json']?.schema;
  if (schema === undefined) return fc.constant(undefined);
  const text = anyOf(document, schema).map((value) => JSON.stringify(value));
  return requestBody?.required === false ? fc.option(text, { nil: undefined }) : text;
}

/** @returns values that the schema allows, small ones first */
function anyOf(document: ApiDocument, schema: Schema): fc.Arbitrary<unknown> {
  const one = (inner: Schema): fc.Arbitrary<unknown> => anyOf(document, inner);
  if (schema.$ref !== undefined) return one(document.components!.schemas![schema.$ref.split('/').at(-1)!]!);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  return choices === undefined ? ofType(schema, one) : fc.oneof(...choices.map(one));
}

function ofType(schema: Schema, one: (inner: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  switch (schema.type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer(boundsOf(schema));
    case 'number':
      return fc.double({ ...boundsOf(schema), noNaN: true, noDefaultInfinity: true });
    case 'string':
      return anyString(schema);
    case 'array':
      return fc.array(schema.items === undefined ? fc.jsonValue() : one(schema.items), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      });
    case 'object':
      return anyObject(schema, one);
    default:
      return fc.jsonValue();
  }
}

const boundsOf = ({ minimum, maximum }: Schema): { min: number; max: number } => ({
  min: Math.max(minimum ?? -1000, Number.MIN_SAFE_INTEGER),
  max: Math.min(maximum ?? 1_000_000, 2_000_000_000),
});

function anyString({ format, pattern, minLength = 0, maxLength = 100 }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time') return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  const length = { minLength, maxLength: Math.max(minLength, Math.min(maxLength, LONGEST)) };
  if (pattern === undefined) return fc.string({ ...length, unit: 'grapheme' });
  // Such a pattern would be met by chance alone.
  if (/\(\?<?[!=]/.test(pattern)) return fc.constantFrom('a', 'whisper', 'a.bin', 'b-1');
  return fc.stringMatching(new RegExp(pattern, 'u')).map((text) => fitted(text, minLength, maxLength));
}

/** A text of another length may break its pattern; a request that is refused is described too. */
const fitted = (text: string, minLength: number, maxLength: number): string =>
  text.padEnd(minLength, text === '' ? 'a' : text).slice(0, maxLength);

function anyObject(schema: Schema, one: (inner: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
  if (Object.keys(properties).length > 0) {
    const values = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, one(inner)]));
    return fc.record(values, { requiredKeys: [...required] });
  }
  const names = propertyNames === undefined ? fc.string() : (one(propertyNames) as fc.Arbitrary<string>);
  const values = typeof additionalProperties === 'object' ? one(additionalProperties) : fc.jsonValue();
  return fc.dictionary(names, values, { maxKeys: 3 });
}
