import { inFile, type Plant } from './plant.ts'

/** In what lets browsers in that were invited, and what pages see. */
export const GUEST_PLANTS: readonly Plant[] = [
  ...inFile('guests', 'sessions/sign-in.ts', [
    {
      name: 'invitations with more fields',
      find: 'if (Object.keys(rest).length > 0 || !isKeyId(key)) return undefined',
      put: 'if (!isKeyId(key)) return undefined',
    },
    {
      name: 'invited browsers without a key',
      find: '|| !isKeyId(key)) return undefined',
      put: '|| !key) return undefined',
    },
    { name: 'ids of invitations of any form', find: '|| !INVITATION_ID.test(id)', put: '' },
    { name: 'proofs of any form', find: '|| !PROOF.test(proof)', put: '' },
  ]),
  ...inFile('guests', 'sessions/invitations.ts', [
    {
      name: 'invitations that any operator answers',
      find: ' || invitation.operator !== operator',
      put: '',
    },
    {
      name: 'invitations that are used twice',
      find: 'this.#open.delete(id)\n      word',
      put: 'word',
    },
    {
      name: 'browsers that are answered twice',
      find: 'invitation.waiting.delete(number)\n',
      put: '\n',
    },
    {
      name: 'invitations for any number of browsers',
      find: ' || invitation.guests >= MAX_GUESTS',
      put: '',
    },
  ]),
  ...inFile('guests', 'web/page-calls.ts', [
    {
      name: 'views that the grant does not name',
      find: 'if (!allows(rights().views, found.view))',
      put: 'if (false)',
    },
    { name: 'looks without end', find: "if (!this.#pace.allows(''))", put: 'if (false)' },
  ]),
]
