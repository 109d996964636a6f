//! The forms of secrets, as their issuers document or publish them for secret
//! scanning. One line a form.

/// Bytes a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    Alnum,
    /// Letters, digits, `_`.
    Word,
    /// Letters, digits, `_`, `-`.
    UrlSafe,
    /// Letters, digits, `_`, `-`, `.`, `~`, `%`.
    Url,
    Base64,
    Hex,
    Digits,
    /// Capitals and digits.
    Upper,
}

impl Alphabet {
    pub(super) fn has(self, b: u8) -> bool {
        match self {
            Self::Alnum => b.is_ascii_alphanumeric(),
            Self::Word => b.is_ascii_alphanumeric() || b == b'_',
            Self::UrlSafe => b.is_ascii_alphanumeric() || b == b'_' || b == b'-',
            Self::Url => b.is_ascii_alphanumeric() || b"_-.~%".contains(&b),
            Self::Base64 => b.is_ascii_alphanumeric() || b"+/=".contains(&b),
            Self::Hex => b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || (b'A'..=b'F').contains(&b),
            Self::Digits => b.is_ascii_digit(),
            Self::Upper => b.is_ascii_uppercase() || b.is_ascii_digit(),
        }
    }
}

/// What follows a beginning.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tail {
    /// A run of least to most bytes; the beginning belongs to the secret.
    Run(Alphabet, usize, usize),
    /// The same, but the beginning is no secret.
    After(Alphabet, usize, usize),
    /// Runs with one of `. - _ ~ / :` between.
    Parts(&'static [(Alphabet, usize, usize)]),
    /// A private key between its two lines.
    Pem,
}

/// One form.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) begins: &'static str,
    pub(super) tail: Tail,
    pub(super) kind: &'static str,
    /// No letter, digit or `_` stands before it.
    pub(super) alone: bool,
    /// The beginning belongs to the secret.
    pub(super) whole: bool,
}

const fn form(kind: &'static str, begins: &'static str, tail: Tail) -> Form {
    Form { begins, tail, kind, alone: true, whole: true }
}

/// A form whose beginning is a public address.
const fn at_address(kind: &'static str, begins: &'static str, tail: Tail) -> Form {
    Form { begins, tail, kind, alone: false, whole: false }
}

use Alphabet::{Alnum, Base64, Digits, Hex, Upper, Url, UrlSafe, Word};
use Tail::{After, Parts, Pem, Run};

const MOST: usize = 4000;

pub(super) const FORMS: &[Form] = &[
    // Clouds
    form("aws_access_key", "AKIA", Run(Upper, 16, 16)),
    form("aws_access_key", "ASIA", Run(Upper, 16, 16)),
    form("aws_access_key", "ABIA", Run(Upper, 16, 16)),
    form("aws_access_key", "ACCA", Run(Upper, 16, 16)),
    form("aws_bedrock_key", "ABSK", Run(Base64, 100, 200)),
    form("google_api_key", "AIza", Run(UrlSafe, 35, 35)),
    form("google_oauth_token", "ya29.", Run(Url, 20, MOST)),
    form("google_oauth_secret", "GOCSPX-", Run(UrlSafe, 20, 40)),
    form("google_refresh_token", "1//0", Run(UrlSafe, 30, 200)),
    form("digitalocean_token", "dop_v1_", Run(Hex, 64, 64)),
    form("digitalocean_token", "doo_v1_", Run(Hex, 64, 64)),
    form("digitalocean_token", "dor_v1_", Run(Hex, 64, 64)),
    form("fly_token", "fm2_", Run(Base64, 40, MOST)),
    form("fly_token", "fm1r_", Run(Base64, 40, MOST)),
    form("fly_token", "fo1_", Run(UrlSafe, 30, 80)),
    form("heroku_token", "HRKU-", Run(UrlSafe, 30, 100)),
    form("vercel_token", "vcp_", Run(Alnum, 20, 100)),
    form("netlify_token", "nfp_", Run(Alnum, 30, 60)),
    form("render_token", "rnd_", Run(Alnum, 24, 60)),
    form("cloudflare_token", "v1.0-", Parts(&[(Hex, 24, 24), (Hex, 140, 160)])),
    form("supabase_token", "sbp_", Run(Hex, 40, 80)),
    form("supabase_token", "sb_secret_", Run(UrlSafe, 20, 60)),
    form("planetscale_token", "pscale_tkn_", Run(UrlSafe, 30, 80)),
    form("planetscale_password", "pscale_pw_", Run(UrlSafe, 30, 80)),
    form("neon_key", "napi_", Run(Alnum, 40, 80)),
    form("databricks_token", "dapi", Run(Hex, 32, 34)),
    form("databricks_token", "dose", Run(Hex, 32, 34)),
    form("yandex_key", "AQVN", Run(UrlSafe, 35, 38)),
    form("yandex_key", "YCAJE", Run(UrlSafe, 20, 20)),
    form("yandex_token", "t1.9", Parts(&[(UrlSafe, 40, 400), (UrlSafe, 80, 90)])),
    form("alibaba_key", "LTAI", Run(Alnum, 12, 26)),
    // Code and packages
    form("github_token", "ghp_", Run(Word, 30, 255)),
    form("github_token", "gho_", Run(Word, 30, 255)),
    form("github_token", "ghu_", Run(Word, 30, 255)),
    form("github_token", "ghs_", Run(Url, 30, MOST)),
    form("github_token", "ghr_", Run(Word, 30, 255)),
    form("github_token", "github_pat_", Run(Word, 50, 255)),
    form("gitlab_token", "glpat-", Run(Url, 18, 300)),
    form("gitlab_token", "gldt-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glrt-", Run(Url, 18, 80)),
    form("gitlab_token", "glptt-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glcbt-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "gloas-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glsoat-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glft-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glimt-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "glagent-", Run(UrlSafe, 18, 80)),
    form("gitlab_token", "GR1348941", Run(UrlSafe, 18, 40)),
    form("bitbucket_token", "ATBB", Run(Alnum, 24, 60)),
    form("atlassian_token", "ATATT3", Run(Url, 40, 300)),
    form("atlassian_token", "ATCTT3", Run(Url, 40, 300)),
    form("npm_token", "npm_", Run(Alnum, 30, 60)),
    form("pypi_token", "pypi-", Run(UrlSafe, 50, 400)),
    form("cargo_token", "cio", Run(Alnum, 32, 32)),
    form("rubygems_token", "rubygems_", Run(Hex, 48, 48)),
    form("docker_token", "dckr_pat_", Run(UrlSafe, 20, 60)),
    form("docker_token", "dckr_oat_", Run(UrlSafe, 20, 60)),
    form("artifactory_token", "AKCp", Run(Alnum, 60, 80)),
    form("artifactory_token", "cmVmdGtu", Run(Alnum, 50, 80)),
    form("nuget_key", "oy2", Run(Alnum, 43, 43)),
    form("clojars_token", "CLOJARS_", Run(Hex, 60, 60)),
    form("hex_token", "hexpm_", Run(Alnum, 30, 80)),
    form("sonar_token", "sqp_", Run(Hex, 40, 40)),
    form("sonar_token", "squ_", Run(Hex, 40, 40)),
    form("sonar_token", "sqa_", Run(Hex, 40, 40)),
    form("buildkite_token", "bkua_", Run(Hex, 40, 40)),
    form("circleci_token", "CCIPAT_", Run(Word, 30, 100)),
    form("pulumi_token", "pul-", Run(Hex, 40, 40)),
    form("depot_token", "depot_", Run(Word, 40, 100)),
    form("graphite_token", "gtp_", Run(Alnum, 30, 60)),
    form("launchdarkly_key", "api-", Parts(&[(Hex, 8, 8), (Hex, 4, 4), (Hex, 4, 4), (Hex, 4, 4), (Hex, 12, 12)])),
    form("launchdarkly_key", "sdk-", Parts(&[(Hex, 8, 8), (Hex, 4, 4), (Hex, 4, 4), (Hex, 4, 4), (Hex, 12, 12)])),
    // Chat and mail
    form("slack_token", "xoxb-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxp-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxa-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxr-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxs-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxo-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxd-", Run(Url, 20, 400)),
    form("slack_token", "xoxc-", Run(UrlSafe, 20, 300)),
    form("slack_token", "xoxe-", Run(UrlSafe, 20, 400)),
    form("slack_token", "xoxe.", Run(Url, 20, 400)),
    form("slack_token", "xapp-", Run(UrlSafe, 20, 300)),
    at_address("slack_webhook", "hooks.slack.com/services/", Parts(&[(Upper, 7, 14), (Upper, 7, 14), (Alnum, 16, 40)])),
    at_address(
        "slack_webhook",
        "hooks.slack.com/workflows/",
        Parts(&[(Upper, 7, 14), (Upper, 7, 14), (Digits, 10, 24), (Alnum, 16, 40)]),
    ),
    at_address(
        "slack_webhook",
        "hooks.slack.com/triggers/",
        Parts(&[(Upper, 7, 14), (Digits, 8, 24), (Alnum, 16, 60)]),
    ),
    at_address("discord_webhook", "discord.com/api/webhooks/", Parts(&[(Digits, 16, 21), (UrlSafe, 50, 90)])),
    at_address("discord_webhook", "discordapp.com/api/webhooks/", Parts(&[(Digits, 16, 21), (UrlSafe, 50, 90)])),
    at_address("teams_webhook", "webhook.office.com/webhookb2/", After(Url, 30, 300)),
    at_address("telegram_token", "api.telegram.org/bot", Parts(&[(Digits, 6, 12), (UrlSafe, 30, 40)])),
    at_address("telegram_token", "/bot", Parts(&[(Digits, 8, 12), (UrlSafe, 35, 35)])),
    form("sendgrid_key", "SG.", Parts(&[(UrlSafe, 16, 32), (UrlSafe, 36, 64)])),
    form("mailgun_key", "key-", Run(Hex, 32, 32)),
    form("mailgun_key", "pubkey-", Run(Hex, 32, 32)),
    form("sendinblue_key", "xkeysib-", Parts(&[(Hex, 64, 64), (Alnum, 16, 16)])),
    form("sendinblue_key", "xsmtpsib-", Parts(&[(Hex, 64, 64), (Alnum, 16, 16)])),
    form("resend_key", "re_", Parts(&[(Alnum, 8, 10), (Alnum, 20, 30)])),
    form("postman_key", "PMAK-", Parts(&[(Hex, 24, 24), (Hex, 34, 34)])),
    form("twilio_key", "SK", Run(Hex, 32, 32)),
    // Payment and shops
    form("stripe_key", "sk_live_", Run(Word, 16, 255)),
    form("stripe_key", "sk_test_", Run(Word, 16, 255)),
    form("stripe_key", "rk_live_", Run(Word, 16, 255)),
    form("stripe_key", "rk_test_", Run(Word, 16, 255)),
    form("stripe_key", "whsec_", Run(Base64, 24, 255)),
    form("square_token", "sq0atp-", Run(UrlSafe, 20, 60)),
    form("square_secret", "sq0csp-", Run(UrlSafe, 30, 60)),
    form("square_token", "EAAAE", Run(UrlSafe, 55, 70)),
    form("shopify_token", "shpat_", Run(Hex, 32, 32)),
    form("shopify_token", "shpca_", Run(Hex, 32, 32)),
    form("shopify_token", "shppa_", Run(Hex, 32, 32)),
    form("shopify_token", "shpss_", Run(Hex, 32, 32)),
    form("braintree_token", "access_token$production$", Parts(&[(Alnum, 16, 16), (Hex, 32, 32)])),
    form("flutterwave_key", "FLWSECK-", Run(UrlSafe, 20, 60)),
    form("flutterwave_key", "FLWSECK_TEST-", Run(UrlSafe, 20, 60)),
    form(
        "plaid_token",
        "access-production-",
        Parts(&[(Hex, 8, 8), (Hex, 4, 4), (Hex, 4, 4), (Hex, 4, 4), (Hex, 12, 12)]),
    ),
    form("plaid_token", "access-sandbox-", Parts(&[(Hex, 8, 8), (Hex, 4, 4), (Hex, 4, 4), (Hex, 4, 4), (Hex, 12, 12)])),
    form("easypost_key", "EZAK", Run(Alnum, 54, 54)),
    form("easypost_key", "EZTK", Run(Alnum, 54, 54)),
    form("razorpay_key", "rzp_live_", Run(Alnum, 14, 30)),
    // Models
    form("anthropic_key", "sk-ant-", Run(UrlSafe, 30, 200)),
    form("openai_key", "sk-proj-", Run(UrlSafe, 30, 300)),
    form("openai_key", "sk-svcacct-", Run(UrlSafe, 30, 300)),
    form("openai_key", "sk-admin-", Run(UrlSafe, 30, 300)),
    form("openrouter_key", "sk-or-v1-", Run(Hex, 64, 64)),
    form("openai_key", "sk-", Run(UrlSafe, 32, 100)),
    form("huggingface_token", "hf_", Run(Alnum, 30, 60)),
    form("huggingface_token", "api_org_", Run(Alnum, 30, 60)),
    form("replicate_token", "r8_", Run(Alnum, 30, 60)),
    form("groq_key", "gsk_", Run(Alnum, 40, 80)),
    form("perplexity_key", "pplx-", Run(Alnum, 40, 80)),
    form("xai_key", "xai-", Run(Alnum, 60, 100)),
    form("nvidia_key", "nvapi-", Run(UrlSafe, 50, 100)),
    form("fireworks_key", "fw_", Run(Alnum, 20, 40)),
    form("langsmith_key", "lsv2_pt_", Run(Word, 32, 60)),
    form("langsmith_key", "lsv2_sk_", Run(Word, 32, 60)),
    form("tavily_key", "tvly-", Run(UrlSafe, 28, 60)),
    form("pinecone_key", "pcsk_", Run(Word, 40, 90)),
    form("wandb_key", "wandb_v1_", Run(UrlSafe, 40, 100)),
    // Operation
    form("datadog_key", "ddapp_", Run(Alnum, 30, 60)),
    form("datadog_key", "ddpat_", Run(Word, 30, 90)),
    form("newrelic_key", "NRAK-", Run(Upper, 27, 27)),
    form("newrelic_key", "NRII-", Run(UrlSafe, 32, 32)),
    form("newrelic_key", "NRJS-", Run(Hex, 19, 19)),
    form("newrelic_key", "NRRA-", Run(Hex, 42, 42)),
    form("grafana_token", "glsa_", Run(Word, 36, 60)),
    form("grafana_token", "glc_", Run(Base64, 32, 400)),
    form("grafana_token", "eyJrIjoi", Run(Base64, 60, 400)),
    form("sentry_token", "sntrys_", Run(Url, 40, 400)),
    form("sentry_token", "sntryu_", Run(Hex, 60, 70)),
    form("dynatrace_token", "dt0c01.", Parts(&[(Upper, 24, 24), (Upper, 64, 64)])),
    form("dynatrace_token", "dt0s16.", Parts(&[(Upper, 8, 24), (Upper, 64, 64)])),
    form("honeycomb_key", "hcaik_", Run(Word, 58, 70)),
    form("pagerduty_key", "pdus+_", Run(UrlSafe, 20, 80)),
    form("posthog_key", "phx_", Run(Alnum, 40, 60)),
    form("vault_token", "hvs.", Run(UrlSafe, 20, 300)),
    form("vault_token", "hvb.", Run(UrlSafe, 100, 400)),
    form("vault_token", "hvr.", Run(UrlSafe, 20, 300)),
    form("doppler_token", "dp.pt.", Run(Alnum, 40, 44)),
    form("doppler_token", "dp.st.", Run(Url, 40, 80)),
    form("doppler_token", "dp.ct.", Run(Alnum, 40, 44)),
    form("doppler_token", "dp.sa.", Run(Alnum, 40, 44)),
    form("onepassword_token", "ops_eyJ", Run(Base64, 200, MOST)),
    form(
        "onepassword_key",
        "A3-",
        Parts(&[(Upper, 6, 6), (Upper, 6, 11), (Upper, 5, 6), (Upper, 5, 5), (Upper, 5, 5), (Upper, 5, 5)]),
    ),
    form("infisical_token", "st.", Parts(&[(Hex, 24, 36), (Hex, 32, 64), (Hex, 32, 64)])),
    form("tailscale_key", "tskey-", Run(UrlSafe, 20, 120)),
    form("linear_key", "lin_api_", Run(Alnum, 32, 60)),
    form("linear_key", "lin_oauth_", Run(Hex, 60, 70)),
    form("notion_key", "secret_", Run(Alnum, 43, 43)),
    form("notion_key", "ntn_", Run(Alnum, 40, 60)),
    form("figma_token", "figd_", Run(UrlSafe, 36, 60)),
    form("airtable_token", "pat", Parts(&[(Alnum, 14, 14), (Hex, 64, 64)])),
    form("asana_token", "1/1", Parts(&[(Digits, 12, 18), (Hex, 32, 32)])),
    form("typeform_token", "tfp_", Run(UrlSafe, 40, 80)),
    form("contentful_token", "CFPAT-", Run(UrlSafe, 43, 43)),
    form("dropbox_token", "sl.", Run(UrlSafe, 120, 200)),
    form("facebook_token", "EAAC", Run(Alnum, 100, 300)),
    form("facebook_token", "EAAB", Run(Alnum, 100, 300)),
    form("mapbox_token", "sk.eyJ", Run(Url, 60, 200)),
    form("readme_key", "rdme_", Run(Alnum, 60, 80)),
    form("prefect_key", "pnu_", Run(Alnum, 36, 36)),
    form("duffel_token", "duffel_live_", Run(UrlSafe, 43, 43)),
    form("frameio_token", "fio-u-", Run(UrlSafe, 64, 64)),
    form("shippo_token", "shippo_live_", Run(Hex, 40, 40)),
    form("adobe_secret", "p8e-", Run(Alnum, 32, 32)),
    // Formats
    form("jwt", "eyJ", Parts(&[(UrlSafe, 10, MOST), (UrlSafe, 10, MOST), (UrlSafe, 0, MOST)])),
    form("age_key", "AGE-SECRET-KEY-1", Run(Upper, 50, 60)),
    form("age_key", "AGE-SECRET-KEY-PQ-1", Run(Upper, 40, 120)),
    Form { begins: "-----BEGIN ", tail: Pem, kind: "private_key", alone: false, whole: true },
];
