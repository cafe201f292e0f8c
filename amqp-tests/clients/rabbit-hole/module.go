// Package rabbithole pins the module whose specs are run.
package rabbithole

import _ "github.com/michaelklishin/rabbit-hole/v2"
