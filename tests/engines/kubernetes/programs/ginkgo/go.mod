module berth.test/ginkgo

go 1.26.0

// The version that e2e.test has, which checks it.
require github.com/onsi/ginkgo/v2 v2.32.0
