package leveret.clients;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Java's TLS settings from the PEM files that {@code TLS_CA}, {@code TLS_CERT} and {@code TLS_KEY} name. */
public final class PemTls {
    /** The algorithm identifier of RSA, for wrapping a bare RSA key as PKCS #8. */
    private static final byte[] RSA_ALGORITHM = {
        0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00
    };

    private PemTls() {}

    /**
     * A context of one protocol version ("TLS" for any).
     *
     * @param trustCa whether the authority of TLS_CA is trusted (nobody is otherwise)
     * @param identify whether the client shows its certificate, where one is named
     */
    public static SSLContext context(String protocol, boolean trustCa, boolean identify)
            throws GeneralSecurityException, IOException {
        SSLContext context = SSLContext.getInstance(protocol);
        context.init(identify ? keys().getKeyManagers() : null, trust(trustCa).getTrustManagers(), null);
        return context;
    }

    private static TrustManagerFactory trust(boolean trustCa) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        if (trustCa) {
            int i = 0;
            for (Certificate ca : certificates(path("TLS_CA"))) {
                store.setCertificateEntry("ca" + i++, ca);
            }
        } else {
            // An empty store is an error of its own; the client's certificate is nobody's authority.
            store.setCertificateEntry("other", certificates(path("TLS_CERT")).iterator().next());
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        return trust;
    }

    private static KeyManagerFactory keys() throws GeneralSecurityException, IOException {
        char[] password = "unused".toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry("client", privateKey(path("TLS_KEY")), password,
                certificates(path("TLS_CERT")).toArray(new Certificate[0]));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        return keys;
    }

    private static Path path(String variable) {
        String value = System.getenv(variable);
        if (value == null || value.isBlank()) {
            throw new IllegalStateException("AMQPS_URL is set but " + variable + " is not");
        }
        return Path.of(value);
    }

    private static Collection<? extends Certificate> certificates(Path file)
            throws GeneralSecurityException, IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return CertificateFactory.getInstance("X.509").generateCertificates(in);
        }
    }

    private static PrivateKey privateKey(Path file) throws GeneralSecurityException, IOException {
        String pem = Files.readString(file, StandardCharsets.US_ASCII);
        boolean bareRsa = pem.contains("BEGIN RSA PRIVATE KEY");
        String base64 = pem.replaceAll("(?s).*-----BEGIN [A-Z ]*PRIVATE KEY-----", "")
                .replaceAll("(?s)-----END .*", "").replaceAll("\\s", "");
        byte[] der = Base64.getDecoder().decode(base64);
        PKCS8EncodedKeySpec spec = new PKCS8EncodedKeySpec(bareRsa ? wrapRsa(der) : der);
        for (String algorithm : new String[] {"RSA", "EC", "Ed25519"}) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(spec);
            } catch (InvalidKeySpecException e) {
                // Another algorithm's key.
            }
        }
        throw new GeneralSecurityException("TLS_KEY: not a PKCS #8 or RSA key");
    }

    private static byte[] wrapRsa(byte[] key) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        body.write(new byte[] {0x02, 0x01, 0x00});
        body.write(RSA_ALGORITHM);
        body.write(der(0x04, key));
        return der(0x30, body.toByteArray());
    }

    private static byte[] der(int tag, byte[] content) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (content.length < 128) {
            out.write(content.length);
        } else {
            out.write(0x83);
            out.write(content.length >> 16);
            out.write(content.length >> 8);
            out.write(content.length);
        }
        out.write(content);
        return out.toByteArray();
    }
}
