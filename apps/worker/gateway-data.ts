import { GatewayDataFile } from '#contracts/gateway-data';
import type { GatewayData } from '#sources/gateway/gateways';
import { readDataFile } from './data-file.ts';

/**
 * Reads what an operator knows of gateways (HAULIER_GATEWAY_DATA).
 *
 * @throws RangeError that names the file, and each field with its value and what would be right
 */
export const readGatewayData = (path: string): GatewayData => readDataFile(path, GatewayDataFile).gateways;
