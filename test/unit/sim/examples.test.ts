// The example is a test itself: it runs here as it stands.
import '../../../examples/tenants.test.ts';
