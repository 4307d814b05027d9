/** The one door to `@peculiar/x509`, which cannot be loaded before what stands in `reflect.ts`. */
import './reflect.ts'

export * from '@peculiar/x509'
