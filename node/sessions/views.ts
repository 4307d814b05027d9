import type { View } from '../whitelist/terms.ts'
import type { RpcMethod } from '../wire/rpc.ts'

/** A call by which a page looks at more than its sensors. */
export interface ViewMethod {
  /** What has to be among the views of its rights. */
  readonly view: View
  readonly method: RpcMethod
}

/** The calls of one page, by name: made anew for each, since some remember how far they have read. */
export type OpenViews = () => ReadonlyMap<string, ViewMethod>
