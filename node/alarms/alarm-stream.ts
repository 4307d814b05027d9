/**
 * The stream of `fridge/1` on which a node tells its alarms (PROTOCOL.md, "Alarms"). No sensor has
 * its name.
 */
export const ALARM_STREAM = 'alarms'

/** The event that begins it, with the ids of all alarms that stand, and begins it anew. */
export const STANDING = 'standing'
