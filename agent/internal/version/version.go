// SPDX-License-Identifier: Apache-2.0

// Package version says which agent this is.
package version

// Version is that of the project, set at link time.
var Version = "0.0.0-dev"

// Protocol is the version of protocol/agent.proto that this agent speaks.
const Protocol = 1
