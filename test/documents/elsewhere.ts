/** Blocks that the walks of this folder do not type, by document and first line: who runs them, or why nobody does. */
export const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  [
    'README.md: npm ci && npm start',
    'installs packages; test/cli/demo.test.ts runs what npm start does',
  ],
  ['README.md: npm ci && npm test', 'installs packages, and would run itself; .ci/run does both'],
  [
    "README.md: import { readFileSync } from 'node:fs'",
    'the walk of the README saves it as client.mjs',
  ],
  [
    "README.md: import { io } from './socket.io.esm.min.js'",
    'test/browser/example-page.test.ts, in Chromium',
  ],
  [
    "docs/from-the-article.md: import { readFileSync, watchFile } from 'node:fs'",
    'the walk saves it',
  ],
  ["docs/from-the-article.md: import Model from 'scuttlebutt/model.js'", 'the walk saves it'],
  ['README.md: fridge certs issuing-key node-1', 'typed before the node starts that issues'],
  [
    'README.md: ./cli/fridge alarms list --past',
    'of an alarm of its own; test/cli/help-examples.test.ts',
  ],
  ['README.md: npm ci', 'needs a container engine: test/cluster'],
  ['README.md: sudo systemctl enable fridge', 'needs a machine that systemd has started'],
  [
    'README.md: docker secret create ca certs/ca/certificate.pem',
    'needs a container engine; test/manifests.test.ts checks the stack file',
  ],
  [
    'README.md: kubectl create secret generic node-1 --from-file=ca.pem=certs/ca/certificate.pem \\',
    'needs a Kubernetes; test/manifests.test.ts checks the manifests',
  ],
  ['CONTRIBUTING.md: npm ci', 'installs packages; .ci/run does'],
  ['test/bench/README.md: npm run bench -- [--only NAME]… [--quick]', 'measures, for minutes'],
  [
    'test/fuzz/README.md: npm run fuzz                                  # a million inputs a layer; prints the seed',
    'takes minutes; .ci/run fuzzes for seconds',
  ],
  [
    "node/client/README.md: import { connect } from 'fridge/client'",
    'test/node/client/readme.test.ts',
  ],
  [
    "node/client/README.md: import { connect, FridgeError } from 'fridge/client'",
    'test/node/client/readme.test.ts',
  ],
])

/** Keys by which a configuration of something else is known. */
export const NOT_OF_A_NODE: readonly string[] = ['scrape_configs']
