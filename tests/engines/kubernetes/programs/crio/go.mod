module berth.test/crio

go 1.26.6

require github.com/cri-o/cri-o v1.36.1

replace (
	k8s.io/api => k8s.io/api v0.36.0
	k8s.io/apimachinery => k8s.io/apimachinery v0.36.0
	k8s.io/client-go => k8s.io/client-go v0.36.0
	k8s.io/component-base => k8s.io/component-base v0.36.0
	k8s.io/cri-api => k8s.io/cri-api v0.36.0
	k8s.io/cri-client => k8s.io/cri-client v0.36.0
	k8s.io/cri-streaming => k8s.io/cri-streaming v0.36.0
	k8s.io/kubelet => k8s.io/kubelet v0.36.0
	k8s.io/streaming => k8s.io/streaming v0.36.0
)
