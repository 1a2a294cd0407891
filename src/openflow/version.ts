/** Wire versions of OpenFlow: 1 is OpenFlow 1.0, 6 is OpenFlow 1.5 (the header's first byte). */
export type OfVersion = 1 | 2 | 3 | 4 | 5 | 6;
