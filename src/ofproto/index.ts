/**
 * Ofproto: the state of bridges, and the pictures of it that translation works on.
 *
 * What. bridge.ts is one bridge; picture.ts puts all bridges, routes and neighbours of a switch into one picture with a
 * generation. Translation sees pictures only, and never comes back here but through its effects.
 *
 * Invariants. A picture is never changed. Two pictures with the same generation are the same object.
 *
 * Not supported yet: OpenFlow. Flow tables, groups and meters will be drawn into the picture's pipelines.
 */
export { Bridge, type BridgePortSettings } from './bridge.ts';
export { SwitchState } from './picture.ts';
