import { useEffect, useState } from 'preact/hooks'

/** What was asked for, and why the newest attempt failed. */
export interface Polled<T> {
  readonly value: T | undefined
  readonly failure: string
}

/** Ask for something now, and again and again while anybody looks. @param round another number has it asked at once */
export function usePolled<T>(read: () => Promise<T>, everyMs: number, round = 0): Polled<T> {
  const [value, setValue] = useState<T>()
  const [failure, setFailure] = useState('')
  useEffect(() => {
    let isWanted = true
    const look = async (): Promise<void> => {
      if (document.hidden) return
      try {
        const next = await read()
        if (isWanted) setValue(() => next)
        if (isWanted) setFailure('')
      } catch (error) {
        if (isWanted) setFailure((error as Error).message)
      }
    }
    void look()
    const timer = setInterval(() => void look(), everyMs)
    return () => {
      isWanted = false
      clearInterval(timer)
    }
  }, [everyMs, round])
  return { value, failure }
}
