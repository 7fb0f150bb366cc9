export declare const MAY_IMPORT: Readonly<Record<string, readonly string[]>>;
export declare const OWNED_LIBRARIES: Readonly<Record<string, readonly string[]>>;
