/** How one enters the host's door. */
import { useState } from "preact/hooks";
import { t } from "../i18n";
import { Failure, Heading } from "../ui/parts";

export function Login({ enter, error }: { enter(token: string): void; error?: unknown }) {
  const [token, setToken] = useState("");
  return (
    <section class="card">
      <Heading>{t("login.title")}</Heading>
      <p class="muted">{t("login.intro")}</p>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          enter(token.trim());
        }}
      >
        <label for="token">{t("login.token")}</label>
        <input id="token" class="input" type="password" autocomplete="off" required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
        {error !== undefined && <Failure error={error} />}
        <div class="row end"><button type="submit" class="button primary">{t("login.enter")}</button></div>
      </form>
    </section>
  );
}
